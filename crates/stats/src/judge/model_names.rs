//! Which models answered, and whether they are the one that was asked.

use std::collections::BTreeMap;

/// The names of the models that answered a point, each with how often and the first request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ModelNames {
    names: BTreeMap<String, Answered>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answered {
    count: u64,
    first: u64,
}

/// What is wrong with the names of those who answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NamesFault {
    /// One model was asked for, and several answered.
    Several,
    /// A model answered whose name has nothing to do with any that was asked for.
    Unrelated(String),
}

impl ModelNames {
    /// Adds the name in the answer to a request.
    pub(crate) fn add(&mut self, name: &str, request: u64) {
        if let Some(known) = self.names.get_mut(name) {
            known.count += 1;
            return;
        }
        let answered = Answered {
            count: 1,
            first: request,
        };
        self.names.insert(name.to_owned(), answered);
    }

    /// Each name and how many answers have it, most frequent first.
    pub(crate) fn counts(&self) -> Vec<(&str, u64)> {
        let mut counts: Vec<_> = self
            .names
            .iter()
            .map(|(name, a)| (&**name, a.count))
            .collect();
        counts.sort_by_key(|&(name, count)| (std::cmp::Reverse(count), name));
        counts
    }

    /// The first request that each name answered, in the order of [`counts`](Self::counts).
    pub(crate) fn first_requests(&self) -> Vec<u64> {
        let firsts = self.counts().into_iter();
        firsts.map(|(name, _)| self.names[name].first).collect()
    }

    /// What is wrong with them, where `asked` is known.
    pub(crate) fn fault(&self, asked: &[String]) -> Option<NamesFault> {
        if asked.is_empty() {
            return None;
        }
        let is_related = |name: &str| asked.iter().any(|asked| related(asked, name));
        let stranger = self
            .counts()
            .into_iter()
            .find(|(name, _)| !is_related(name));
        match stranger {
            Some((name, _)) if self.names.len() == 1 || asked.len() > 1 => {
                Some(NamesFault::Unrelated(name.to_owned()))
            }
            _ if asked.len() == 1 && self.names.len() > 1 => Some(NamesFault::Several),
            _ => None,
        }
    }
}

/// Whether two names can be those of one model: after the name of an organisation or a path, one is the other with a
/// date, a version or a format behind it.
fn related(asked: &str, answered: &str) -> bool {
    let (asked, answered) = (words(asked), words(answered));
    if asked.is_empty() || answered.is_empty() {
        return true;
    }
    let (shorter, longer) = if asked.len() <= answered.len() {
        (asked, answered)
    } else {
        (answered, asked)
    };
    longer[..shorter.len()] == shorter[..]
        && longer[shorter.len()..]
            .iter()
            .all(|word| is_decoration(word))
}

/// The last part of a path, in lower case, cut where a letter or digit meets something else.
fn words(name: &str) -> Vec<String> {
    let base = name
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(name);
    let lower = base.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What stands behind a model's name and makes no other model of it: a date or a version, a format of its weights.
fn is_decoration(word: &str) -> bool {
    const WORDS: [&str; 22] = [
        "latest",
        "preview",
        "exp",
        "gguf",
        "safetensors",
        "onnx",
        "awq",
        "gptq",
        "bnb",
        "mlx",
        "marlin",
        "fp4",
        "fp8",
        "fp16",
        "bf16",
        "f16",
        "f32",
        "int4",
        "int8",
        "k",
        "m",
        "s",
    ];
    let version = word.strip_prefix(['v', 'q', 'r']).unwrap_or(word);
    let numeric = !version.is_empty() && version.chars().all(|c| c.is_ascii_digit());
    numeric || WORDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::{ModelNames, NamesFault, related};

    fn names(names: &[&str]) -> ModelNames {
        let mut all = ModelNames::default();
        for (request, name) in names.iter().enumerate() {
            all.add(name, request as u64);
        }
        all
    }

    #[test]
    fn an_alias_is_the_same_model_and_a_sibling_is_not() {
        for (asked, answered) in [
            ("gpt-4o", "gpt-4o-2024-08-06"),
            ("openai/gpt-4o", "gpt-4o"),
            ("llama3.2", "llama3.2:latest"),
            (
                "/models/SmolLM2-135M-Instruct",
                "SmolLM2-135M-Instruct.Q4_1.gguf",
            ),
            ("m", "m"),
            ("gemini-1.5-pro", "models/gemini-1.5-pro-002"),
        ] {
            assert!(related(asked, answered), "{asked} {answered}");
        }
        for (asked, answered) in [
            ("gpt-4o", "gpt-4o-mini"),
            ("m", "mixtral"),
            ("llama-3-70b", "llama-3-8b"),
            ("smol", "SmolLM2-135M"),
        ] {
            assert!(!related(asked, answered), "{asked} {answered}");
        }
    }

    #[test]
    fn several_names_in_one_point_and_strange_ones_are_told_from_one_alias() {
        let asked = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let alias = names(&["gpt-4o-2024-08-06", "gpt-4o-2024-08-06"]);
        assert_eq!(alias.fault(&asked(&["gpt-4o"])), None);
        let mixed = names(&["gpt-4o", "gpt-4o-mini", "gpt-4o"]);
        assert_eq!(mixed.fault(&asked(&["gpt-4o"])), Some(NamesFault::Several));
        assert_eq!(mixed.counts()[0], ("gpt-4o", 2));
        assert_eq!(mixed.first_requests(), [0, 1]);
        let other = names(&["mistral"]);
        let unrelated = Some(NamesFault::Unrelated("mistral".to_owned()));
        assert_eq!(other.fault(&asked(&["gpt-4o"])), unrelated);
        assert_eq!(names(&["a", "b"]).fault(&asked(&["a", "b"])), None);
        assert_eq!(
            names(&["a", "mistral"]).fault(&asked(&["a", "b"])),
            unrelated
        );
        assert_eq!(other.fault(&[]), None);
    }
}
