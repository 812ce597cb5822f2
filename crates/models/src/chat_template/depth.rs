//! Templates that nest too deep for a parser that calls itself, told from their tags alone.

/// Names, signs and texts of one tag. The longest expressions of real templates have some hundred.
const TAG_WORDS_MAX: usize = 2_000;

/// Blocks within blocks.
const BLOCKS_MAX: usize = 100;

/// Tags that nest in the tree that is made of them though not in the text, or of which each makes a value deeper.
const BRANCHES_MAX: usize = 1_000;

/// Refuses a source that nests deeper than any real one.
pub(super) fn check(source: &str) -> Result<(), String> {
    let (mut open, mut branches) = (0_usize, 0_usize);
    let mut rest = source;
    // One look at each brace: to look for each kind of tag anew would take its square in a long source.
    while let Some(at) = rest.find('{') {
        let Some(kind @ (b'%' | b'{' | b'#')) = rest.as_bytes().get(at + 1).copied() else {
            rest = &rest[at + 1..];
            continue;
        };
        let inside = &rest[at + 2..];
        if kind == b'#' {
            rest = inside.split_once("#}").map_or("", |(_, after)| after);
            continue;
        }
        let tag = Tag::read(inside, if kind == b'{' { "}}" } else { "%}" });
        if tag.words > TAG_WORDS_MAX {
            return Err(format!(
                "a tag of it has {} words and signs; at most {TAG_WORDS_MAX} are parsed",
                tag.words
            ));
        }
        rest = &inside[tag.length..];
        if kind == b'{' {
            continue;
        }
        match tag.name {
            "raw" => {
                let end = rest.find("endraw").unwrap_or(rest.len());
                rest = &rest[end..];
            }
            "set" if tag.assigns => branches += 1,
            "elif" => branches += 1,
            "if" | "for" | "macro" | "call" | "filter" | "with" | "autoescape" | "block"
            | "generation" | "set" => open += 1,
            name if name.starts_with("end") => open = open.saturating_sub(1),
            _ => {}
        }
        for (what, count, most) in [
            ("blocks within blocks", open, BLOCKS_MAX),
            ("`elif` and `set`", branches, BRANCHES_MAX),
        ] {
            if count > most {
                return Err(format!("it has more than {most} {what}"));
            }
        }
    }
    Ok(())
}

/// What is known of one.
struct Tag<'a> {
    name: &'a str,
    words: usize,
    /// An equals sign stands in it that compares nothing.
    assigns: bool,
    /// With its end.
    length: usize,
}

impl<'a> Tag<'a> {
    fn read(inside: &'a str, end: &str) -> Self {
        let bytes = inside.as_bytes();
        let (mut at, mut words, mut brackets, mut assigns) = (0, 0_usize, 0_usize, false);
        let mut name = "";
        while at < bytes.len() {
            let rest = &inside[at..];
            if brackets == 0 && rest.starts_with(end) {
                at += end.len();
                break;
            }
            let from = at;
            at += match bytes[at] {
                b'\'' | b'"' => text(rest),
                byte if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80 => {
                    let word = |c: char| c.is_alphanumeric() || c == '_';
                    rest.find(|c| !word(c)).unwrap_or(rest.len()).max(1)
                }
                b'=' if rest.starts_with("==") => 2,
                _ => 1,
            };
            // A character that is no word may be longer than a byte.
            while !inside.is_char_boundary(at) {
                at += 1;
            }
            match bytes[from] {
                b'(' | b'[' | b'{' => brackets += 1,
                b')' | b']' | b'}' => brackets = brackets.saturating_sub(1),
                b'=' if at - from == 1 && brackets == 0 => {
                    let before = from.checked_sub(1).map(|before| bytes[before]);
                    assigns |= !matches!(before, Some(b'!' | b'<' | b'>'));
                }
                _ => {}
            }
            let is_space = bytes[from].is_ascii_whitespace();
            if name.is_empty() && bytes[from].is_ascii_alphabetic() {
                name = &inside[from..at];
            }
            words += usize::from(!is_space);
        }
        Tag {
            name,
            words,
            assigns,
            length: at,
        }
    }
}

/// The bytes of a text in quotes.
fn text(from: &str) -> usize {
    let bytes = from.as_bytes();
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte == b'\\' {
            at += 1;
        } else if byte == bytes[0] {
            break;
        }
    }
    at.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::check;
    use proptest::prelude::*;

    #[test]
    fn what_nests_too_deep_is_told_before_it_is_parsed() {
        for source in [
            format!("{{{{ {}1 }}}}", "not ".repeat(200_000)),
            format!("{{{{ {}1 }}}}", "-".repeat(200_000)),
            format!("{{{{ a{} }}}}", ".a".repeat(200_000)),
            format!("{{{{ 1{} }}}}", "+1".repeat(200_000)),
            format!("{{{{ 'a'{} }}}}", "|string".repeat(100_000)),
            "{% if a %}".repeat(101),
            "{%- if a -%}x{%- else -%}".repeat(101),
            format!("{{% if a %}}{}", "{% elif a %}".repeat(1_001)),
            "{% set x = [x] %}".repeat(1_001),
        ] {
            assert!(check(&source).is_err(), "{}", &source[..40]);
        }
        for source in [
            "{% if a %}b{% endif %}".repeat(5_000),
            "{% raw %}{% if a %}{% endraw %}".repeat(200),
            "{# {% if a %} #}".repeat(200),
            "{{ '{% if a %}' }}".repeat(200),
            "{{a}} { ".repeat(120_000),
            "{% set x %}{% if a == b %}{% endif %}{% endset %}".repeat(500),
        ] {
            assert_eq!(check(&source), Ok(()), "{}", &source[..20]);
        }
    }

    proptest! {
        #[test]
        fn any_source_is_looked_through(source in ".*", tag in "[{%#}'\"\\\\= a\\-é]{0,80}") {
            let _checked = check(&source);
            let _checked = check(&format!("{{{{{tag}{source}"));
            let _checked = check(&format!("{{%{tag}"));
        }
    }
}
