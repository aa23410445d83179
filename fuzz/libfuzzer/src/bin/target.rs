#![no_main]
//! Target `target`.

wayleave_libfuzzer::program!("target");
