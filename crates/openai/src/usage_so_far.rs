//! The token counts of an answer, gathered from wherever its chunks have them.

use crate::Usage;
use crate::error::excerpt;

/// Characters of the counts that are kept as they were sent.
const EXCERPT_CHARS_MAX: usize = 300;

/// Where counts stand, in the order in which they are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UsagePlace {
    /// `usage` of the chunk or the body.
    Usage,
    /// `usage` of something within it: Groq's `x_groq`, a message, a choice.
    Within,
    /// Counts that a server gives under names of its own.
    Native,
}

/// Gathers token counts. What was counted stays: a later count of nothing does not wipe it.
#[derive(Clone, Debug, Default)]
pub(crate) struct UsageSoFar {
    places: [Option<Told>; 3],
    /// Of each choice that has counts of its own: the prompt is the same one, what was generated adds up.
    choices: Vec<(u32, Usage)>,
}

#[derive(Clone, Debug, Default)]
struct Told {
    usage: Usage,
    /// Of the last that counted something.
    excerpt: String,
}

impl UsageSoFar {
    /// Adds counts, with their JSON. Counts go up as an answer goes on, so that each counts for all before it.
    pub(crate) fn add(&mut self, place: UsagePlace, usage: Usage, json: &str) {
        if !usage.is_told() {
            return;
        }
        let told = self.places[place as usize].get_or_insert_default();
        told.usage = usage.or(told.usage);
        if usage.counts_something() || told.excerpt.is_empty() {
            told.excerpt.clear();
            if json.len() <= EXCERPT_CHARS_MAX {
                told.excerpt.push_str(json);
            } else {
                told.excerpt.push_str(&excerpt(json, EXCERPT_CHARS_MAX));
            }
        }
    }

    /// Adds the counts of one choice.
    pub(crate) fn add_choice(&mut self, choice: u32, usage: Usage, json: &str) {
        /// More choices with counts of their own than anybody asks for.
        const CHOICES_MAX: usize = 128;
        if !usage.is_told() {
            return;
        }
        let known = self.choices.iter_mut().find(|(index, _)| *index == choice);
        if let Some((_, known)) = known {
            *known = usage.or(*known);
        } else if self.choices.len() < CHOICES_MAX {
            self.choices.push((choice, usage));
        }
        let sum = |part: fn(&Usage) -> Option<u64>| {
            let counts: Vec<u64> = self
                .choices
                .iter()
                .filter_map(|(_, usage)| part(usage))
                .collect();
            (!counts.is_empty()).then(|| counts.iter().sum())
        };
        let one = self.choices.len() == 1;
        let of_all = Usage {
            completion_tokens: sum(|usage| usage.completion_tokens),
            reasoning_tokens: sum(|usage| usage.reasoning_tokens),
            total_tokens: usage.total_tokens.filter(|_| one),
            ..usage
        };
        self.add(UsagePlace::Within, of_all, json);
        if let Some(told) = &mut self.places[UsagePlace::Within as usize] {
            told.usage.total_tokens = told.usage.total_tokens.filter(|_| one);
        }
    }

    /// The counts, and the JSON of the last that counted something; absent where there were none.
    pub(crate) fn finish(self) -> (Option<Usage>, Option<String>) {
        let told = || self.places.iter().flatten();
        let usage = told().map(|told| told.usage).reduce(Usage::or);
        let counting = told().find(|told| told.usage.counts_something());
        let excerpt = counting
            .or_else(|| told().next())
            .map(|told| told.excerpt.clone());
        (usage, excerpt)
    }
}

#[cfg(test)]
mod tests {
    use super::{Usage, UsagePlace, UsageSoFar};

    fn usage(prompt: Option<u64>, completion: Option<u64>) -> Usage {
        Usage {
            prompt_tokens: prompt,
            completion_tokens: completion,
            ..Usage::default()
        }
    }

    #[test]
    fn a_later_count_of_nothing_wipes_nothing_and_pieces_are_put_together() {
        let mut so_far = UsageSoFar::default();
        so_far.add(UsagePlace::Usage, usage(Some(0), Some(0)), "zeros");
        so_far.add(UsagePlace::Usage, usage(Some(25), Some(1)), "begin");
        so_far.add(UsagePlace::Usage, usage(None, Some(15)), "end");
        so_far.add(UsagePlace::Usage, usage(None, None), "empty");
        so_far.add(UsagePlace::Usage, usage(Some(0), Some(0)), "zeros");
        let expected = (Some(usage(Some(25), Some(15))), Some("end".to_owned()));
        assert_eq!(so_far.finish(), expected);
    }

    #[test]
    fn zeros_alone_are_told_as_they_are() {
        let mut so_far = UsageSoFar::default();
        so_far.add(UsagePlace::Usage, usage(Some(0), Some(0)), "zeros");
        let expected = (Some(usage(Some(0), Some(0))), Some("zeros".to_owned()));
        assert_eq!(so_far.finish(), expected);
        assert_eq!(UsageSoFar::default().finish(), (None, None));
    }

    #[test]
    fn counts_in_odd_places_fill_in_what_the_usual_one_lacks() {
        let mut so_far = UsageSoFar::default();
        so_far.add(UsagePlace::Native, usage(Some(1), Some(2)), "native");
        so_far.add(UsagePlace::Within, usage(Some(3), None), "within");
        so_far.add(UsagePlace::Usage, usage(Some(0), None), "usual");
        let expected = (Some(usage(Some(3), Some(2))), Some("within".to_owned()));
        assert_eq!(so_far.finish(), expected);
    }

    #[test]
    fn what_choices_count_for_themselves_adds_up_over_one_prompt() {
        let mut so_far = UsageSoFar::default();
        so_far.add_choice(0, usage(Some(9), Some(10)), "0");
        so_far.add_choice(1, usage(Some(9), Some(12)), "1");
        so_far.add_choice(1, usage(Some(9), Some(13)), "1 again");
        let expected = (Some(usage(Some(9), Some(23))), Some("1 again".to_owned()));
        assert_eq!(so_far.finish(), expected);
    }
}
