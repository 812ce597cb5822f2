//! The environment's variables, as a value that is passed.

/// Looks up a variable.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Those of this process.
pub(crate) fn of_process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
