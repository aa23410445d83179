#![no_main]
//! Target `token04`.

wayleave_libfuzzer::program!("token04");
