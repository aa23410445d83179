#![no_main]
//! Target `token`.

use wayleave_libfuzzer::libfuzzer_sys;

wayleave_libfuzzer::program!("token");
