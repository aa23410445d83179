#![no_main]
//! Target `concealed`.

wayleave_libfuzzer::program!("concealed");
