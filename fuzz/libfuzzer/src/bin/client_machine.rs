#![no_main]
//! Target `client_machine`.

wayleave_libfuzzer::program!("client_machine");
