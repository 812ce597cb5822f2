// One target under libFuzzer: that of the program's name. Each file in bin/ is this one.

use libfuzzer_sys::fuzz_target;
use std::sync::{Mutex, PoisonError};

const TARGET: fn(&[u8]) = targets::named(env!("CARGO_BIN_NAME"));

/// The last panic's words.
static SAID: Mutex<String> = Mutex::new(String::new());

fuzz_target!(
    init: {
        // libFuzzer's own hook ends the process at every panic, also at those of other people's decoders, which are
        // caught where they happen. What leaves a target still ends it.
        std::panic::set_hook(Box::new(|panic| {
            *SAID.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
        }));
    },
    |bytes: &[u8]| {
        if std::panic::catch_unwind(|| TARGET(bytes)).is_err() {
            eprintln!("{}", SAID.lock().unwrap_or_else(PoisonError::into_inner));
            std::process::abort();
        }
    }
);
