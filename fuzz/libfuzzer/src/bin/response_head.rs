#![no_main]
//! Target `response_head`.

wayleave_libfuzzer::program!("response_head");
