//! Prompts of exactly so many tokens, by tokenizers that make it hard.

mod toy;

use proptest::prelude::*;
use std::cell::Cell;
use std::sync::LazyLock;
use toy::{BytePairs, Greedy, Words};
use workload::{Content, TokenBudget, Tokenizer, WorkloadError};

static PAIRS: LazyLock<BytePairs> = LazyLock::new(|| BytePairs::new(0, 120, false));
static FEW_PAIRS: LazyLock<BytePairs> = LazyLock::new(|| BytePairs::new(1, 20, false));

/// Prompts through a chat template that trims messages and adds tokens before and after them.
fn templated(tokenizer: &dyn Tokenizer) -> impl Fn(&str) -> Result<usize, String> {
    |text| {
        let prompt = format!("<user>\n{}<end>\n<assistant>", text.trim());
        Ok(tokenizer.encode(&prompt)?.len() + 2)
    }
}

fn plain(tokenizer: &dyn Tokenizer) -> impl Fn(&str) -> Result<usize, String> {
    |text| Ok(tokenizer.encode(text)?.len())
}

fn filled(
    tokenizer: &dyn Tokenizer,
    total: &dyn Fn(&str) -> Result<usize, String>,
    tokens: usize,
    fixed: &str,
    number: u64,
) -> Result<String, WorkloadError> {
    let budget = TokenBudget {
        tokenizer,
        total,
        tokens,
    };
    let content = Content::ALL[usize::try_from(number % 3).unwrap()];
    budget.fill(fixed, content.pieces(3, number))
}

/// The budget is hit, or the text has too few tokens to choose from.
fn check(
    tokenizer: &dyn Tokenizer,
    more: usize,
    fixed: &str,
    number: u64,
) -> Result<(), TestCaseError> {
    let (templated, plain) = (templated(tokenizer), plain(tokenizer));
    for total in [&templated as &dyn Fn(&str) -> _, &plain] {
        let budget = total(fixed).unwrap() + more;
        let text = filled(tokenizer, total, budget, fixed, number)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(total(&text), Ok(budget));
        prop_assert!(text.starts_with(fixed));
        let again = filled(tokenizer, total, budget, fixed, number);
        prop_assert_eq!(Ok(text), again);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pieces_that_span_words_hit_the_budget(
        seed: u64, pieces in 0_usize..1_500, more in 3_usize..700, number: u64,
    ) {
        check(&Greedy::new(seed, pieces, false, false), more, "", number)?;
    }

    #[test]
    fn a_space_before_the_text_hits_the_budget(
        seed: u64, pieces in 0_usize..1_500, more in 3_usize..700, number: u64,
    ) {
        check(&Greedy::new(seed, pieces, true, false), more, "", number)?;
    }

    #[test]
    fn a_tokenizer_that_changes_texts_hits_the_budget(
        seed: u64, pieces in 0_usize..1_500, more in 3_usize..700, number: u64,
    ) {
        check(&Greedy::new(seed, pieces, true, true), more, "", number)?;
    }

    #[test]
    fn byte_pairs_without_words_hit_the_budget(
        few: bool, more in 3_usize..250, number: u64,
    ) {
        check(if few { &*FEW_PAIRS } else { &*PAIRS }, more, "", number)?;
    }

    #[test]
    fn a_fixed_beginning_is_kept(
        seed: u64, more in 3_usize..200, number: u64, fixed in "[a-zé漢 .\n]{1,80}",
    ) {
        check(&Greedy::new(seed, 800, true, false), more, &fixed, number)?;
        check(&*PAIRS, more, &fixed, number)?;
    }

    #[test]
    fn groups_of_words_hit_the_budget(group in 1_usize..6, more in 1_usize..100, number: u64) {
        check(&Words { group, tokens: 1 }, more, "", number)?;
    }

    #[test]
    fn the_smallest_budgets_are_hit_or_refused(
        seed: u64, prefix_space: bool, more in 1_usize..3, number: u64,
    ) {
        let tokenizer = Greedy::new(seed, 600, prefix_space, false);
        let total = plain(&tokenizer);
        match filled(&tokenizer, &total, more, "", number) {
            Ok(text) => prop_assert_eq!(total(&text), Ok(more)),
            Err(error) => {
                let missed = matches!(error, WorkloadError::TokenBudgetMissed { .. });
                prop_assert!(missed && prefix_space, "{}", error);
            }
        }
    }
}

#[test]
fn a_budget_that_the_template_uses_up_is_refused() {
    let tokenizer = Words {
        group: 1,
        tokens: 1,
    };
    let total = templated(&tokenizer);
    assert_eq!(total(""), Ok(5));
    let refusal = |tokens, fixed| {
        filled(&tokenizer, &total, tokens, fixed, 0)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refusal(5, ""),
        "a prompt of 5 tokens has no room: without any text of its own it takes 5 for the chat \
         template and what must stand first; ask for more than 5."
    );
    assert!(refusal(6, "one two three").contains("it takes 7 for"));
    assert_eq!(
        filled(&tokenizer, &total, 7, "one two three", 0).as_deref(),
        Ok("one two three")
    );
}

#[test]
fn a_length_that_no_text_has_is_refused() {
    let tokenizer = Words {
        group: 1,
        tokens: 2,
    };
    let total = plain(&tokenizer);
    assert_eq!(
        filled(&tokenizer, &total, 51, "", 0)
            .unwrap_err()
            .to_string(),
        "no text was found with which the prompt has exactly 51 tokens; the nearest has \
         52. Ask for 52, or for another length."
    );
    assert!(filled(&tokenizer, &total, 52, "", 0).is_ok());
}

#[test]
fn pieces_that_end_or_have_no_tokens_are_refused() {
    let tokenizer = Words {
        group: 1,
        tokens: 1,
    };
    let total = plain(&tokenizer);
    let budget = TokenBudget {
        tokenizer: &tokenizer,
        total: &total,
        tokens: 9,
    };
    let nearest = |error| match error {
        WorkloadError::TokenBudgetMissed { nearest, .. } => nearest,
        other => panic!("{other}"),
    };
    let few = ["one ", "two "].map(str::to_owned);
    assert_eq!(nearest(budget.fill("", few).unwrap_err()), 2);
    let blank = std::iter::repeat(" ".to_owned());
    assert_eq!(nearest(budget.fill("", blank).unwrap_err()), 0);
}

#[test]
fn what_the_tokenizer_says_is_shown() {
    struct Broken;
    impl Tokenizer for Broken {
        fn encode(&self, _: &str) -> Result<Vec<u32>, String> {
            Err("the vocabulary has no byte 0x41".to_owned())
        }

        fn decode(&self, _: &[u32]) -> Result<String, String> {
            Ok(String::new())
        }
    }
    let error = filled(&Broken, &|_| Ok(0), 5, "", 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tokenizer failed on a built-in text: the vocabulary has no byte 0x41."
    );
}

/// Counting is what costs, on long prompts above all.
#[test]
fn a_long_prompt_is_counted_a_few_times_only() {
    let tokenizer = Greedy::new(5, 1_500, true, false);
    let counts = Cell::new(0);
    let total = |text: &str| {
        counts.set(counts.get() + 1);
        Ok(tokenizer.encode(text)?.len() + 11)
    };
    let text = filled(&tokenizer, &total, 5_000, "", 1).unwrap();
    assert_eq!(tokenizer.encode(&text).unwrap().len(), 4_989);
    assert!(counts.get() < 30, "{}", counts.get());
}
