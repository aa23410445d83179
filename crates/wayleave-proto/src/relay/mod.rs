//! The relay: the server side, which authenticates, checks policy and forwards.
