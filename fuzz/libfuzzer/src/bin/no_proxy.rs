#![no_main]
//! Target `no_proxy`.

wayleave_libfuzzer::program!("no_proxy");
