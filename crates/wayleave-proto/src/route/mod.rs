//! The rules of routing.
