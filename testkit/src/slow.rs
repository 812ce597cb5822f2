//! Tests that only run where they are asked for.

/// Whether tests that take seconds, or a processor of their own, shall run. Says so where not.
pub fn slow_tests() -> bool {
    let asked = std::env::var_os("RUN_SLOW_TESTS").is_some_and(|value| value == "1");
    if !asked {
        eprintln!("not run: set RUN_SLOW_TESTS=1 for it");
    }
    asked
}
