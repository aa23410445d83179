//! Tests that were written for HTTP/1.1, over the carrier with many tunnels on one connection.

use core::cell::Cell;

use crate::carrier::Carrier;

thread_local! {
    static OVER_MUX: Cell<bool> = const { Cell::new(false) };
}

/// What tests of this thread speak.
pub(crate) fn carrier() -> Carrier {
    if is_over_mux() { Carrier::Mux } else { Carrier::H1 }
}

/// Whether that is the carrier of the tests.
pub(crate) fn is_over_mux() -> bool {
    OVER_MUX.get()
}

/// Sets it until it is dropped.
pub(crate) struct On;

impl On {
    pub(crate) fn new() -> Self {
        OVER_MUX.set(true);
        Self
    }
}

impl Drop for On {
    fn drop(&mut self) {
        OVER_MUX.set(false);
    }
}

/// Runs tests of the module above over the other carrier too.
macro_rules! over_mux {
    ($($module:ident: $($test:ident),* $(,)?;)*) => {
        $(mod $module {
            $(#[test]
            fn $test() {
                let _on = $crate::testing::On::new();
                super::super::$module::$test();
            })*
        })*
    };
}
pub(crate) use over_mux;
