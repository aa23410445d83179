#![no_main]
//! Target `client_hello`.

wayleave_libfuzzer::program!("client_hello");
