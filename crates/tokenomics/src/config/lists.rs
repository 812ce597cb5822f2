//! Lists of numbers, as they are typed.

use crate::failure::Failure;

/// Whole numbers from 1 on, separated by commas, none twice.
pub(crate) fn list(flag: &str, text: &str) -> Result<Vec<u32>, Failure> {
    let refuse = |item: &str| {
        Failure::usage(format!(
            "{flag} must be whole numbers from 1 to {}, separated by commas, got `{item}`; \
             write it like 1,2,4,8",
            u32::MAX
        ))
    };
    let mut values = Vec::new();
    for item in text.split(',').map(str::trim) {
        let value = item.parse::<u32>().map_err(|_| refuse(item))?;
        if value == 0 {
            return Err(refuse(item));
        }
        if values.contains(&value) {
            return Err(Failure::usage(format!("{flag} names {item} twice")));
        }
        values.push(value);
    }
    Ok(values)
}

/// Numbers separated by commas, none twice.
pub(crate) fn numbers(flag: &str, text: &str) -> Result<Vec<f64>, Failure> {
    let mut values = Vec::new();
    for item in text.split(',').map(str::trim) {
        let value: f64 = item.parse().map_err(|_| {
            Failure::usage(format!(
                "{flag} must be numbers separated by commas, got `{item}`; write it like 2,4,8"
            ))
        })?;
        if values.contains(&value) {
            return Err(Failure::usage(format!("{flag} names {item} twice")));
        }
        values.push(value);
    }
    Ok(values)
}
