//! The init of a guest.
fn main() {}
