#![no_main]
//! Target `jwks`.

wayleave_libfuzzer::program!("jwks");
