//! Developer commands: ci, bless, bench.
fn main() {}
