//! Text that came from a server is data: it may not move the cursor, break a table, become a
//! formula in a spreadsheet or a tag in a page.

use std::fmt::Write;

/// Makes text safe to print: control characters, line breaks and invisible or direction-changing
/// characters become visible escapes such as `\u{1b}` and `\n`.
///
/// The result is one line, and is valid in XML once `&` and `<` are escaped.
pub fn terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_unseen(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Makes text safe as one cell of a CSV file: as [`terminal`], and a cell that a spreadsheet would
/// take for a formula gets a `'` in front. Quoting is the CSV writer's.
pub fn csv_cell(text: &str) -> String {
    let text = terminal(text);
    if text.trim_start().starts_with(['=', '+', '-', '@']) {
        format!("'{text}")
    } else {
        text
    }
}

/// The same of each line of a text that may have several.
pub fn lines(text: &str) -> String {
    let lines = text
        .split('\n')
        .map(|line| terminal(line.trim_end_matches('\r')));
    lines.collect::<Vec<_>>().join("\n")
}

/// A JSON document of several lines, in which characters that are not seen are written as numbers: it is read as the same,
/// and changes nothing of a terminal that it is printed to.
pub fn json(value: &serde_json::Value) -> String {
    let text = format!("{value:#}\n");
    if text.is_ascii() {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unseen(c) || (c.is_control() && !c.is_ascii()) {
            // They stand in strings only, where each half of a pair is a number of its own.
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Stands between characters and shows nothing: what is on both sides of it is no link.
const APART: &str = "<!-- -->";

/// Makes text safe in GitHub's Markdown, inside a table or out: as [`terminal`], and what would be
/// markup, a cell border, a code span, HTML, a link or somebody's name stands for itself.
pub fn markdown(text: &str) -> String {
    let text = terminal(text);
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let rest = &text[at..];
        let before = &text.as_bytes()[at.saturating_sub(3)..at];
        match c {
            '@' => {
                out.push('@');
                out.push_str(APART);
            }
            ':' if rest.starts_with("://") => {
                out.push_str(APART);
                out.push(':');
            }
            '.' if before.eq_ignore_ascii_case(b"www") => {
                out.push_str(APART);
                out.push('.');
            }
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '|' | '`' | '*' | '_' | '~' | '[' | ']' | '#' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Characters that are no controls but draw nothing or reorder their neighbours (Unicode TR 36), and
/// the two that XML forbids.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::{APART, csv_cell, is_unseen, json, lines, markdown, terminal};
    use proptest::prelude::*;

    #[test]
    fn an_escape_sequence_becomes_visible() {
        assert_eq!(
            terminal("\u{1b}[2Jgone\u{7}\u{9b}"),
            "\\u{1b}[2Jgone\\u{7}\\u{9b}"
        );
        assert_eq!(terminal("a\r\nb\tc"), "a\\r\\nb\\tc");
    }

    #[test]
    fn a_direction_override_becomes_visible_and_other_scripts_stay() {
        assert_eq!(terminal("\u{202e}exe.txt"), "\\u{202e}exe.txt");
        assert_eq!(terminal("naïve 模型 ошибка"), "naïve 模型 ошибка");
    }

    #[test]
    fn json_says_the_same_and_shows_what_is_unseen() {
        let value = serde_json::json!({ "\u{202e}a": "\u{9b}2J\u{feff}模型\u{e0041}\u{1b}" });
        let text = json(&value);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
        let unseen = |c: char| c != '\n' && (c.is_control() || is_unseen(c));
        assert!(!text.contains(unseen) && text.contains("模型"), "{text:?}");
    }

    #[test]
    fn a_formula_is_quoted_even_behind_a_blank() {
        assert_eq!(csv_cell("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(csv_cell(" @SUM(A1)"), "' @SUM(A1)");
        assert_eq!(csv_cell("http_429"), "http_429");
    }

    #[test]
    fn markup_stands_for_itself() {
        assert_eq!(
            markdown("a|b `c` <script>&"),
            "a\\|b \\`c\\` &lt;script&gt;&amp;"
        );
    }

    #[test]
    fn no_link_and_no_name_is_made_of_a_text() {
        for (text, written) in [
            ("see https://x.y", "see https<!-- -->://x.y"),
            ("WWW.x.y", "WWW<!-- -->.x.y"),
            ("@all", "@<!-- -->all"),
            ("a: b. c", "a: b. c"),
        ] {
            assert_eq!(markdown(text), written);
        }
    }

    #[test]
    fn lines_stay_lines_and_hold_nothing_else() {
        assert_eq!(lines("a\r\nb\u{1b}[2J\n"), "a\nb\\u{1b}[2J\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_text_keeps_a_control_or_unseen_character(text in any::<String>()) {
            for escaped in [terminal(&text), csv_cell(&text), markdown(&text)] {
                prop_assert!(!escaped.chars().any(|c| c.is_control() || is_unseen(c)));
            }
            let written = markdown(&text).replace(APART, "");
            prop_assert!(!written.contains(['<', '>']));
        }
    }
}
