#![no_main]
//! Target `relay_machine`.

wayleave_libfuzzer::program!("relay_machine");
