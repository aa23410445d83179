#![no_main]
//! Target `template`.

wayleave_libfuzzer::program!("template");
