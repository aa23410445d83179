#![no_main]
//! Target `capsules`.

use wayleave_libfuzzer::libfuzzer_sys;

wayleave_libfuzzer::program!("capsules");
