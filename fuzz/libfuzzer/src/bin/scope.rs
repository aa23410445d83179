#![no_main]
//! Target `scope`.

wayleave_libfuzzer::program!("scope");
