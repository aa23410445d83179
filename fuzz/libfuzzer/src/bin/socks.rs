#![no_main]
//! Target `socks`.

use wayleave_libfuzzer::libfuzzer_sys;

wayleave_libfuzzer::program!("socks");
