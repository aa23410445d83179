#![no_main]
//! Target `world`.

wayleave_libfuzzer::program!("world");
