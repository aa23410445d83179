#![no_main]
//! Target `request_head`.

wayleave_libfuzzer::program!("request_head");
