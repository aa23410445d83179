#![no_main]
//! Target `capsules`.

wayleave_libfuzzer::program!("capsules");
