//! Arguments as Python takes them: by place, or by name.

use minijinja::value::{Kwargs, Value};
use minijinja::{Error, ErrorKind};

/// The arguments of those names, in their order; absent ones are none. A name that is not among them is an error.
pub(super) fn named<const N: usize>(
    names: [&str; N],
    mut given: Vec<Value>,
) -> Result<[Option<Value>; N], Error> {
    let by_name: Option<Kwargs> = match given.pop_if(|last| last.is_kwargs()) {
        Some(last) => Some(last.try_into()?),
        None => None,
    };
    if given.len() > N {
        return Err(ErrorKind::TooManyArguments.into());
    }
    let mut given = given.into_iter();
    let mut values = [const { None }; N];
    for (value, name) in values.iter_mut().zip(names) {
        *value = match (given.next(), &by_name) {
            (Some(given), _) => Some(given),
            (None, Some(by_name)) => by_name.get(name)?,
            (None, None) => None,
        };
    }
    if let Some(by_name) = by_name {
        by_name.assert_all_used()?;
    }
    Ok(values)
}

/// Whether it is given, and true.
pub(super) fn is_true(value: Option<&Value>) -> bool {
    value.is_some_and(Value::is_true)
}
