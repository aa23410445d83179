use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::runtime::Builder;

use crate::Tokio;

#[test]
fn a_driver_that_is_missing_is_told_in_the_call_that_needs_it() {
    let mut builders = [(); 3].map(|()| Builder::new_current_thread());
    let [neither, timer, both] = &mut builders;
    for (builder, missing) in
        [(neither, Some("enable_time")), (timer.enable_time(), Some("enable_io")), (both.enable_all(), None)]
    {
        let runtime = builder.build().unwrap();
        let _inside = runtime.enter();
        let made = catch_unwind(AssertUnwindSafe(Tokio::current)).map(drop);
        let said = made.err().and_then(|panic| panic.downcast::<String>().ok().map(|text| *text));
        match missing {
            Some(missing) => assert!(said.is_some_and(|said| said.contains(missing)), "{missing}"),
            None => assert_eq!(said, None),
        }
    }
}
