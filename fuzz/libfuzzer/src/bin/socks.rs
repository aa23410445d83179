#![no_main]
//! Target `socks`.

wayleave_libfuzzer::program!("socks");
