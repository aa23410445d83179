//! The fuzz targets as programs for libFuzzer.

#[doc(hidden)]
pub use {libfuzzer_sys, wayleave_fuzz};

/// The program of one target.
#[macro_export]
macro_rules! program {
    ($name:literal) => {
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::wayleave_fuzz::run($name, data));
    };
}
