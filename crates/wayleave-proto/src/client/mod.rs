//! The client: the embedded side, which decides routes and opens flows.
