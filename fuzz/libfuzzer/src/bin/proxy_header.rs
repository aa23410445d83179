#![no_main]
//! Target `proxy_header`.

wayleave_libfuzzer::program!("proxy_header");
