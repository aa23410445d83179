#![no_main]
//! Target `template`.

use wayleave_libfuzzer::libfuzzer_sys;

wayleave_libfuzzer::program!("template");
