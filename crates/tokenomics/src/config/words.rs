//! Splits a typed command into words.

use crate::failure::Failure;

/// A command's words, with quotes as a shell has them; nothing else of a shell's.
pub(crate) fn words(flag: &str, text: &str) -> Result<Vec<String>, Failure> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            Some(_) | None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quote.is_some() {
        return Err(Failure::usage(format!(
            "{flag} has a quote that does not end: {text}"
        )));
    }
    if words.is_empty() {
        return Err(Failure::usage(format!("{flag} is empty")));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_command_is_cut_where_a_shell_cuts_it() {
        for (text, expected) in [
            ("uv run litellm", &["uv", "run", "litellm"][..]),
            ("  a  'b c'd \"\" ", &["a", "b cd", ""]),
            ("x --flag=\"it's\"", &["x", "--flag=it's"]),
        ] {
            assert_eq!(words("--x", text).unwrap(), expected, "{text}");
        }
        assert!(
            words("--x", "a 'b")
                .unwrap_err()
                .to_string()
                .contains("does not end")
        );
        assert!(
            words("--x", "  ")
                .unwrap_err()
                .to_string()
                .contains("is empty")
        );
    }
}
