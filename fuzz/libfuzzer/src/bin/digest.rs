#![no_main]
//! Target `digest`.

wayleave_libfuzzer::program!("digest");
