#![no_main]
//! Target `response_head`.

use wayleave_libfuzzer::libfuzzer_sys;

wayleave_libfuzzer::program!("response_head");
