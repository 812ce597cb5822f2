//! Does each answer fit what was asked, and what the server says of it?

use super::{Evidence, Finding, Grade, invalid, percent, suspect};
use crate::judge::{Fault, NamesFault, Share, named};

/// One answer in a hundred may be odd: a mean is then off by less than what runs differ by.
const ODD_SHARE_MAX: f64 = 0.01;

/// Where most counts cannot be, the server counts something else, and what events come to is no count of its tokens.
const IMPOSSIBLE_SHARE_MAX: f64 = 0.5;

/// Some answers are digits and signs, which are a token each. Most are not.
const CHARACTERS_SHARE_MAX: f64 = 0.5;

/// A model that may choose leaves a call out now and then.
const LOOP_WITHOUT_CALL_MAX: f64 = 0.1;

impl Evidence<'_> {
    pub(super) fn judge_faults(&self) -> Vec<(Grade, &'static str, String)> {
        [
            self.impossible_output(),
            self.impossible_prompts(),
            self.impossible_parts(),
            self.beyond_limit(),
            self.fewer_than_events(),
            self.totals_differ(),
            self.characters_counted(),
            self.prompt_characters_counted(),
            self.odd_fields(),
            self.tools_not_called(),
            self.several_models(),
            self.retries(),
            self.fallbacks(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// How many answers have the fault, where they are more than `most` of all.
    fn share_above(&self, fault: Fault, most: f64) -> Option<Share> {
        self.faults
            .share(fault)
            .filter(|share| share.value() > most)
    }

    /// `12 of 64 answers (18.8 %, limit 1.0 %)`, and which they are.
    fn counted(&self, fault: Fault, most: f64) -> Option<(String, String)> {
        let share = self.share_above(fault, most)?;
        Some((in_words(share, most), self.faults.witnesses(fault)))
    }

    fn impossible_output(&self) -> Finding {
        let share = self.share_above(Fault::ImpossibleOutput, ODD_SHARE_MAX)?;
        let grade = if share.value() > IMPOSSIBLE_SHARE_MAX {
            invalid
        } else {
            suspect
        };
        grade(
            "impossible_counts",
            format!(
                "{} have a count of generated tokens that cannot be: more than the limit or the bytes of their text \
                 allow, or none beside text. Their tokens are counted by events instead. A server that hides its \
                 reasoning has to tell of it, in `reasoning_tokens`. {}",
                in_words(share, ODD_SHARE_MAX),
                self.faults.witnesses(Fault::ImpossibleOutput)
            ),
        )
    }

    fn impossible_prompts(&self) -> Finding {
        let (counted, witnesses) = self.counted(Fault::ImpossibleInput, ODD_SHARE_MAX)?;
        suspect(
            "impossible_prompt_counts",
            format!(
                "{counted} have a count of prompt tokens that cannot be, none for a prompt with text or a million more \
                 than it has bytes; it enters no number. {witnesses}"
            ),
        )
    }

    fn impossible_parts(&self) -> Finding {
        let (counted, witnesses) = self.counted(Fault::ImpossiblePart, ODD_SHARE_MAX)?;
        suspect(
            "impossible_parts",
            format!(
                "{counted} tell of more tokens from the cache than the prompt has, or of more reasoning than was \
                 generated; such a part is left out. {witnesses}"
            ),
        )
    }

    fn beyond_limit(&self) -> Finding {
        let (counted, witnesses) = self.counted(Fault::BeyondLimit, ODD_SHARE_MAX)?;
        suspect(
            "limit_exceeded",
            format!(
                "{counted} are longer than the limit that was asked for: the server did more work than that. It may \
                 know the limit by another name (`max_tokens`, `max_completion_tokens`; see --extra-body). {witnesses}"
            ),
        )
    }

    fn fewer_than_events(&self) -> Finding {
        let (counted, witnesses) = self.counted(Fault::FewerThanEvents, ODD_SHARE_MAX)?;
        suspect(
            "fewer_tokens_than_events",
            format!(
                "{counted} are said to have fewer tokens than events that brought text. The counts are kept; if a \
                 gateway cuts the text anew, its events are no tokens, and gaps between them say nothing of the model. \
                 {witnesses}"
            ),
        )
    }

    fn totals_differ(&self) -> Finding {
        let (counted, witnesses) = self.counted(Fault::TotalDiffers, ODD_SHARE_MAX)?;
        suspect(
            "totals_differ",
            format!(
                "{counted} have a total that is not the sum of prompt and answer, and no told reasoning explains the \
                 rest: the server may generate tokens that `completion_tokens` leaves out. {witnesses}"
            ),
        )
    }

    fn characters_counted(&self) -> Finding {
        let (counted, witnesses) = self.counted(Fault::OutputInCharacters, CHARACTERS_SHARE_MAX)?;
        suspect(
            "characters_counted",
            format!(
                "{counted} have as many generated tokens as characters: the server seems to count characters. Divide \
                 token rates by about four, or count with --tokenizer. {witnesses}"
            ),
        )
    }

    fn prompt_characters_counted(&self) -> Finding {
        let counted = self.faults.prompts.in_characters();
        let witnesses = counted.filter(|_| !self.built_in)?;
        suspect(
            "prompt_characters_counted",
            format!(
                "Prompt tokens grow with the prompts' characters, one by one: the server seems to count characters, and \
                 input tokens per second are about four times too many. Count with --tokenizer. {witnesses}"
            ),
        )
    }

    fn odd_fields(&self) -> Finding {
        let (counted, witnesses) = self.counted(Fault::LeftOut, ODD_SHARE_MAX)?;
        suspect(
            "odd_fields",
            format!(
                "{counted} have a field whose value is none of its kind; it was left out, and what is computed from it \
                 is absent or estimated. {witnesses}"
            ),
        )
    }

    fn tools_not_called(&self) -> Finding {
        let found = self.faults.share(Fault::NoToolCalled)?;
        let of = self.faults.calls_due;
        let share = Share {
            count: found.count,
            of,
        };
        let required = self.faults.tools_required;
        let most = if required {
            ODD_SHARE_MAX
        } else {
            LOOP_WITHOUT_CALL_MAX
        };
        if share.value() <= most {
            return None;
        }
        let what = if required {
            "though one had to be called: the server passes over `tool_choice`"
        } else {
            "so that their conversations ended there: the model does not know the tool, or the server does not \
             recognise its calls"
        };
        suspect(
            "tools_not_called",
            format!(
                "{} of {of} answers called the tool, {what}. {}",
                of - found.count,
                self.faults.witnesses(Fault::NoToolCalled)
            ),
        )
    }

    fn several_models(&self) -> Finding {
        let models = &self.faults.models;
        let counts = models.counts();
        let names: Vec<String> = counts
            .iter()
            .take(4)
            .map(|(name, count)| format!("`{name}` ({count})"))
            .collect();
        let strangers = models.strangers_requests(self.models_asked);
        let (code, what) = match models.fault(self.models_asked)? {
            NamesFault::Several => (
                "several_models",
                "Several models answered where one was asked for".to_owned(),
            ),
            NamesFault::Unrelated(_) => (
                "other_model",
                format!(
                    "Another model answered than the one that was asked for, `{}`",
                    self.models_asked.join("`, `")
                ),
            ),
        };
        suspect(
            code,
            format!(
                "{what}: {}. A gateway may have gone on to another one, or the name is only an alias: see what answers \
                 behind this address. {}.",
                names.join(", "),
                named(&strangers)
            ),
        )
    }

    fn retries(&self) -> Finding {
        let share = self.faults.share(Fault::Retried)?;
        suspect(
            "gateway_retries",
            format!(
                "The gateway says that it tried {} of {} requests again, {} times in all: their latencies are those of \
                 several attempts. {}",
                share.count,
                share.of,
                self.faults.retries,
                self.faults.witnesses(Fault::Retried)
            ),
        )
    }

    fn fallbacks(&self) -> Finding {
        let share = self.faults.share(Fault::FellBack)?;
        suspect(
            "gateway_fallbacks",
            format!(
                "The gateway says that it gave {} of {} requests to another model than the one asked for: the numbers \
                 are those of a mixture. {}",
                share.count,
                share.of,
                self.faults.witnesses(Fault::FellBack)
            ),
        )
    }
}

fn in_words(share: Share, most: f64) -> String {
    format!(
        "{} of {} answers ({}, limit {})",
        share.count,
        share.of,
        percent(share.value()),
        percent(most)
    )
}
