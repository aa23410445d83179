#![no_main]
//! Target `config`.

wayleave_libfuzzer::program!("config");
