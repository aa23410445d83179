#![no_main]
//! Target `request_head`.

use wayleave_libfuzzer::libfuzzer_sys;

wayleave_libfuzzer::program!("request_head");
