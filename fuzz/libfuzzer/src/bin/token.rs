#![no_main]
//! Target `token`.

wayleave_libfuzzer::program!("token");
