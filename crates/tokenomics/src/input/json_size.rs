//! How much memory a description in JSON takes once it is parsed, told from its bytes.

/// Memory of a value: two bytes in a file, such as `0,`, are some 80 in a tree of values.
const VALUE_BYTES: u64 = 80;

/// Refuses a text of JSON whose values would take more than `memory` bytes. Lines that are a value each, as data sets and
/// records have them, are parsed one by one, and count so; bytes that are no JSON do not count.
pub(super) fn check(bytes: &[u8], memory: u64) -> Result<(), String> {
    let text = bytes.trim_ascii_start();
    if !matches!(text.first(), Some(b'{' | b'[')) {
        return Ok(());
    }
    // What cannot be too much in any case is not looked at any closer.
    let values = |bytes: &[u8]| {
        let values = bytes
            .iter()
            .filter(|byte| matches!(byte, b',' | b'[' | b'{'));
        values.count() as u64
    };
    let fits = |values: u64| values.saturating_mul(VALUE_BYTES) <= memory;
    if fits(text.len() as u64) {
        return Ok(());
    }
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let most = if is_whole(first) {
        text.split(|byte| *byte == b'\n')
            .map(values)
            .max()
            .unwrap_or(0)
    } else {
        values(text)
    };
    if fits(most) {
        return Ok(());
    }
    Err(format!(
        "it has {most} values of JSON in one, which take {} MiB of memory, and {} MiB are left for it",
        most.saturating_mul(VALUE_BYTES) >> 20,
        memory >> 20
    ))
}

/// Refuses rows that are all kept as values, line by line or not, where they would take more than `memory` bytes.
pub(crate) fn check_rows(bytes: &[u8], memory: u64) -> Result<(), String> {
    if (bytes.len() as u64).saturating_mul(VALUE_BYTES) <= memory {
        return Ok(());
    }
    let (mut values, mut in_text, mut escaped) = (0_u64, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    if values.saturating_mul(VALUE_BYTES) <= memory {
        return Ok(());
    }
    Err(format!(
        "it has {values} values of JSON, which take {} MiB of memory, and {} MiB are left for them",
        values.saturating_mul(VALUE_BYTES) >> 20,
        memory >> 20
    ))
}

/// Whether every bracket of a line is closed in it.
fn is_whole(line: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_u64, false, false);
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    depth == 0 && !in_text
}

#[cfg(test)]
mod tests {
    use super::{check, check_rows};

    #[test]
    fn bad_input_59_rows_of_more_values_than_there_is_memory_for_are_refused_however_short_their_lines_are()
     {
        let megabyte = 1 << 20;
        let error = check_rows("{\"a\":0}\n".repeat(20_000).as_bytes(), megabyte).unwrap_err();
        assert!(error.contains("20000 values of JSON"), "{error}");
        let texts = "{\"a\":\"x, [y], {z}, \\\", and, so, on, and, on\"}\n".repeat(5_000);
        assert_eq!(check_rows(texts.as_bytes(), megabyte), Ok(()));
    }

    #[test]
    fn bad_input_59_a_description_of_more_values_than_there_is_memory_for_is_refused() {
        let row = "{\"prompt\":\"a, b [c]\"}\n";
        let megabyte = 1 << 20;
        let cases = [
            ("[0,0]".to_owned(), true),
            (format!("[{}0]", "0,".repeat(20_000)), false),
            (format!("{{\"a\":[{}0]}}", "[],".repeat(20_000)), false),
            // A line that only seems to be the first of many.
            (format!("{{\"a\":[\n{}0]}}", "0,".repeat(20_000)), false),
            (
                format!("{{\"a\":\"}}\",\"b\":[\n{}0]}}", "0,".repeat(20_000)),
                false,
            ),
            (row.repeat(20_000), true),
            (format!("{row}[{}0]", "0,".repeat(20_000)), false),
            (format!("PAR1{}", ",".repeat(50_000)), true),
            ("a,b\n".repeat(50_000), true),
        ];
        for (text, taken) in cases {
            let checked = check(text.as_bytes(), megabyte);
            assert_eq!(
                checked.is_ok(),
                taken,
                "{checked:?}: {}",
                &text[..20.min(text.len())]
            );
        }
    }
}
