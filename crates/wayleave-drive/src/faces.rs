//! What is the same on every adapter, written once: the verbs that never wait.
//!
//! An adapter's types are its own, so that they can have the traits of its world. Each macro stands in the `impl` of one of
//! them and gives it the verbs of what it holds.

/// The verbs of a client, for a type with a method `inner` that lends its [`Client`](crate::Client).
#[doc(hidden)]
#[macro_export]
macro_rules! client_verbs {
    () => {
        /// Says that the network underneath is another, has other addresses, or went away.
        pub fn network_changed(&self, network: $crate::embed::Network) {
            self.inner().network_changed(network);
        }

        /// Puts a new credential in force: for every tunnel that is opened from now on, and, where it is a token, for those
        /// that run.
        pub fn renew(&self, credential: impl Into<$crate::embed::Credential>) {
            self.inner().renew(credential);
        }

        /// Asks for a new trial of the direct path, for one kind of flow or for both.
        pub fn retry_direct(&self, kind: Option<$crate::embed::Kind>) {
            self.inner().retry_direct(kind);
        }

        /// Says that the direct path works: a connection of the embedder's own stands.
        pub fn direct_works(&self, kind: $crate::embed::Kind) {
            self.inner().direct_works(kind);
        }

        /// Where new flows of this kind go now.
        pub fn route(&self, kind: $crate::embed::Kind) -> $crate::embed::Route {
            self.inner().route(kind)
        }

        /// Why flows go where they go now, what was tried, how each relay stands, and what would change it. Displayed it is one
        /// sentence a line, for a person or a log: targets are named in it as in events, and no secret is in it.
        pub fn explain(&self) -> $crate::embed::Explanation {
            self.inner().explain()
        }

        /// Ends the client at once: every flow fails. What the system has taken of what was written is still sent.
        pub fn close(&self) {
            self.inner().close();
        }
    };
}

/// The verbs of a stream, for a type with a method `inner` that lends its [`StreamFlow`](crate::StreamFlow).
#[doc(hidden)]
#[macro_export]
macro_rules! stream_verbs {
    () => {
        /// Where the stream goes.
        pub fn target(&self) -> &$crate::embed::Target {
            self.inner().target()
        }

        /// Which way the stream goes; `None` when it has failed.
        pub fn route(&self) -> Option<$crate::embed::Route> {
            self.inner().route()
        }

        /// Ends the application's half without waiting; what was written before is delivered. A write that waits fails.
        pub fn finish(&self) {
            self.inner().finish();
        }

        /// Breaks the stream off: the target learns that its end is no regular one, and what was written and not delivered
        /// is thrown away. Afterwards there is nothing to read or write; whoever waits for it is told.
        pub fn reset(&self) {
            self.inner().reset();
        }
    };
}
