#![no_main]
//! Target `exchange`.

wayleave_libfuzzer::program!("exchange");
