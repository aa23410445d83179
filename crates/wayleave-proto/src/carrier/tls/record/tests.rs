//! The record layer by itself.
