mod address;
mod rate;
pub(crate) mod scope;
mod target;
