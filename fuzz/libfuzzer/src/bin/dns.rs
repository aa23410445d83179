#![no_main]
//! Target `dns`.

wayleave_libfuzzer::program!("dns");
