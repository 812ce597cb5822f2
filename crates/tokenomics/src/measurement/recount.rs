//! The server's count of generated tokens, held against the model's own tokenizer.

use load::HeardAnswer;
use trace::Recounted;
use workload::Tokenizer;

/// Of so many answers of each run the text is kept and counted: enough to see a wrong count, and counted
/// within milliseconds.
pub(crate) const ANSWERS: u32 = 32;

/// Counts what was said. `None` where nothing can be counted.
pub(crate) fn recount<T: Tokenizer + ?Sized>(
    tokenizer: &T,
    answers: &[HeardAnswer],
) -> Option<Recounted> {
    let mut counted = Recounted::default();
    for answer in answers {
        // What the tokenizer cannot read, it cannot count either.
        let Ok(tokens) = tokenizer.encode(&answer.text) else {
            continue;
        };
        counted.answers += 1;
        counted.by_server += answer.completion_tokens;
        counted.by_tokenizer += tokens.len() as u64;
    }
    (counted.answers > 0).then_some(counted)
}

#[cfg(test)]
mod tests {
    use super::recount;
    use load::HeardAnswer;
    use workload::Tokenizer;

    /// A token for each word.
    struct Words;

    impl Tokenizer for Words {
        fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
            if text.contains('?') {
                return Err("it has a question".to_owned());
            }
            Ok(text.split_whitespace().map(|_| 0).collect())
        }

        fn decode(&self, _: &[u32]) -> Result<String, String> {
            Err("words are not kept".to_owned())
        }
    }

    fn answer(text: &str, completion_tokens: u64) -> HeardAnswer {
        HeardAnswer {
            text: text.to_owned(),
            completion_tokens,
        }
    }

    #[test]
    fn what_cannot_be_counted_counts_on_neither_side() {
        let answers = [
            answer("one two three", 4),
            answer("what?", 90),
            answer("four five", 2),
        ];
        let counted = recount(&Words, &answers).unwrap();
        assert_eq!(counted.answers, 2);
        assert_eq!((counted.by_server, counted.by_tokenizer), (6, 5));
        assert_eq!(recount(&Words, &answers[1..2]), None);
    }
}
