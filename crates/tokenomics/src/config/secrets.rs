//! Words that must reach no output.

use trace::Record;

/// Shorter ones stand in ordinary words too.
const BYTES_MIN: usize = 6;

/// What marks that a text was cut there.
const CUT: &str = "…";

/// What stands in a key's place.
const MASK: &str = "[a key]";

/// Words that must reach no output, though a server may repeat them.
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Those of them that are long enough to be keys.
    pub(crate) fn of(words: impl IntoIterator<Item = String>) -> Self {
        let long = |secret: &String| secret.len() >= BYTES_MIN;
        Secrets(words.into_iter().filter(long).collect())
    }

    /// The text without them, and without what is left of one where a text was cut, or half of it repeated.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            let whole = text.replace(secret.as_str(), MASK);
            let ends = without_half(&whole, secret, Half::First);
            without_half(&ends, secret, Half::Last)
        })
    }

    /// Takes them out of every text of a record that a server can fill.
    pub(crate) fn redact_record(&self, record: &mut Record) {
        let redact = |text: &mut String| *text = self.redact(text);
        record.detail.as_mut().map(redact);
        record.finish_reason.as_mut().map(redact);
        let Some(response) = &mut record.response else {
            return;
        };
        response.model.as_mut().map(redact);
        response.usage_excerpt.as_mut().map(redact);
        response.other_finish_reasons.iter_mut().for_each(redact);
        for left_out in &mut response.left_out {
            redact(&mut left_out.field);
            redact(&mut left_out.value);
        }
    }
}

#[derive(Clone, Copy)]
enum Half {
    First,
    Last,
}

/// Masks what begins, or ends, as the secret does, for half of it and six characters at least. A text that was cut in the
/// middle of a key may have fewer of them at its own end.
fn without_half(text: &str, secret: &str, half: Half) -> String {
    let middle = secret.ceil_char_boundary(secret.len() / 2);
    let part = match half {
        Half::First => &secret[..middle],
        Half::Last => &secret[middle..],
    };
    if part.len() < BYTES_MIN {
        return without_cut(text, secret, half);
    }
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(part) {
        let (mut from, mut to) = (at, at + part.len());
        // As much more of it as is there.
        match half {
            Half::First => {
                to += common(&rest.as_bytes()[to..], &secret.as_bytes()[middle..]);
                to = rest.floor_char_boundary(to);
            }
            Half::Last => {
                let before = rest.as_bytes()[..from].iter().rev();
                let known = secret.as_bytes()[..middle].iter().rev();
                from -= before.zip(known).take_while(|(a, b)| a == b).count();
                from = rest.ceil_char_boundary(from);
            }
        }
        masked.push_str(&rest[..from]);
        masked.push_str(MASK);
        rest = &rest[to..];
    }
    masked.push_str(rest);
    without_cut(&masked, secret, half)
}

/// Masks what is left of it where a text was cut: at its own end, and in front of the mark of each cut, behind which a
/// sentence may go on.
fn without_cut(text: &str, secret: &str, half: Half) -> String {
    match half {
        Half::First => {
            let pieces = text.split(CUT);
            let pieces: Vec<String> = pieces
                .map(|piece| without_end(piece, secret, half))
                .collect();
            pieces.join(CUT)
        }
        Half::Last => without_end(text, secret, half),
    }
}

/// Masks six characters or more of it at the text's own end.
fn without_end(text: &str, secret: &str, half: Half) -> String {
    let boundaries = || (BYTES_MIN..secret.len()).filter(|&at| secret.is_char_boundary(at));
    match half {
        Half::First => {
            let end = text.trim_end_matches(['…', '.', '"', ' ']);
            let cut = boundaries().rev().find(|&at| end.ends_with(&secret[..at]));
            cut.map_or_else(
                || text.to_owned(),
                |at| format!("{}{MASK}{}", &end[..end.len() - at], &text[end.len()..]),
            )
        }
        Half::Last => {
            let begin = text.trim_start_matches(['…', '.', '"', ' ']);
            let lead = &text[..text.len() - begin.len()];
            let cut = boundaries().map(|at| secret.len() - at);
            let mut cut = cut.filter(|&at| secret.is_char_boundary(at));
            let cut = cut.find(|&at| begin.starts_with(&secret[at..]));
            cut.map_or_else(
                || text.to_owned(),
                |at| format!("{lead}{MASK}{}", &begin[secret.len() - at..]),
            )
        }
    }
}

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::Secrets;
    use proptest::prelude::*;

    const KEY: &str = "sk-proj-0123456789abcdef";

    fn redact(text: &str) -> String {
        Secrets::of([KEY.to_owned()]).redact(text)
    }

    #[test]
    fn a_server_that_repeats_the_key_does_not_get_it_into_an_output() {
        let secrets = Secrets::of(["sk-hunter2".to_owned()]);
        assert_eq!(
            secrets.redact("Incorrect API key provided: sk-hunter2."),
            "Incorrect API key provided: [a key]."
        );
    }

    #[test]
    fn a_key_is_masked_whole_half_and_cut() {
        for (text, masked) in [
            ("no key", "no key"),
            (
                "the key sk-proj-0123456789abcdef is wrong",
                "the key [a key] is wrong",
            ),
            ("cut at sk-proj-0123456789ab", "cut at [a key]"),
            ("cut at sk-pro…", "cut at [a key]…"),
            (
                "cut at \"sk-pro…; check that the URL is right",
                "cut at \"[a key]…; check that the URL is right",
            ),
            ("half: sk-proj-0123 and more", "half: [a key] and more"),
            ("half: 456789abcdef, more", "half: [a key], more"),
            ("9abcdef behind a cut", "[a key] behind a cut"),
            ("sk-pr", "sk-pr"),
        ] {
            assert_eq!(redact(text), masked, "{text}");
        }
        // Too short to be one.
        assert_eq!(Secrets::of(["abc".to_owned()]).redact("abc"), "abc");
    }

    proptest! {
        #[test]
        fn no_part_of_six_characters_reaches_the_end_of_a_cut_text(
            before in "[a-z ]{0,20}",
            cut in 6_usize..24,
        ) {
            let masked = redact(&format!("{before}{}", &KEY[..cut]));
            prop_assert!(!masked.contains(&KEY[..6]), "{masked}");
        }

        #[test]
        fn whatever_a_text_is_masking_ends(text in ".*", key in ".{0,40}") {
            Secrets::of([key.clone()]).redact(&text);
            Secrets::of([key.clone()]).redact(&format!("{text}{key}{text}"));
        }
    }
}
