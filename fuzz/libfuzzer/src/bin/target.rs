#![no_main]
//! Target `target`.

use wayleave_libfuzzer::libfuzzer_sys;

wayleave_libfuzzer::program!("target");
