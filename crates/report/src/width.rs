//! How wide text is on a terminal, and how to keep it within a width.

/// The width that running text keeps to: it looks right on the narrowest usual terminal.
pub(crate) const TEXT_COLUMNS: usize = 80;

/// Columns that `text` takes. Everything from Hangul on counts as wide: rather a gap than a wrap.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(char_columns).sum()
}

/// `text`, cut to `limit` columns; `…` stands for what was cut.
pub(crate) fn clip(text: &str, limit: usize) -> String {
    if columns(text) <= limit {
        return text.to_owned();
    }
    let mut used = 1;
    let mut out: String = text
        .chars()
        .take_while(|c| {
            used += char_columns(*c);
            used <= limit
        })
        .collect();
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// Lines of at most `limit` columns, broken at blanks; a longer word is cut.
pub(crate) fn wrap(text: &str, limit: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word = clip(word, limit);
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(&word);
        } else if columns(line) + 1 + columns(&word) <= limit {
            line.push(' ');
            line.push_str(&word);
        } else {
            lines.push(word);
        }
    }
    lines
}

fn char_columns(c: char) -> usize {
    if u32::from(c) >= 0x1100 && !matches!(c, '\u{2000}'..='\u{2bff}') {
        2
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::{clip, columns, wrap};
    use proptest::prelude::*;

    #[test]
    fn a_cut_is_visible_and_counts() {
        assert_eq!(clip("rate limited", 8), "rate li…");
        assert_eq!(clip("rate limited", 12), "rate limited");
        assert_eq!(clip("模型不存在", 7), "模型不…");
    }

    #[test]
    fn a_sentence_breaks_at_blanks() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_line_is_wider_than_asked(text in any::<String>(), limit in 2_usize..100) {
            prop_assert!(columns(&clip(&text, limit)) <= limit);
            for line in wrap(&text, limit) {
                prop_assert!(columns(&line) <= limit);
            }
        }
    }
}
