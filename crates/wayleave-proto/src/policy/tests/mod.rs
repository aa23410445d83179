mod address;
mod rate;
mod target;
