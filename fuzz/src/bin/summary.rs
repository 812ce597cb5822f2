#![no_main]

include!("../run.rs");
