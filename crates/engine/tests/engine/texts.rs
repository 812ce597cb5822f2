//! The queue of an encoder: each text once, within the limits, and nobody waits for ever.

use engine::{BatchLimits, TextBatch, TextId, TextQueue, TextRefusal};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const LIMITS: BatchLimits = BatchLimits {
    texts_max: 4,
    tokens_max: 20,
};

fn queue(lengths: &[usize]) -> TextQueue {
    let mut queue = TextQueue::new(LIMITS);
    for (number, length) in lengths.iter().enumerate() {
        // The tokens say whose they are.
        let token = u32::try_from(number).unwrap();
        assert_eq!(
            queue.submit(vec![token; *length]),
            Ok(TextId(number as u64))
        );
    }
    queue
}

/// The texts of all batches, by number.
fn batches(mut queue: TextQueue) -> Vec<Vec<u64>> {
    let mut batch = TextBatch::default();
    let mut found = Vec::new();
    while queue.next_batch(&mut batch) {
        found.push(batch.texts.iter().map(|text| text.0).collect());
    }
    found
}

#[test]
fn a_batch_begins_with_the_oldest_and_takes_what_fits_the_longest_first() {
    // 12 and 15 do not go together; 5 fits beside 12, and so do two more.
    assert_eq!(
        batches(queue(&[12, 15, 5, 1, 2, 4])),
        [vec![0, 2, 4, 3], vec![1, 5]]
    );
}

#[test]
fn a_batch_has_no_more_texts_than_allowed() {
    assert_eq!(
        batches(queue(&[1; 9])),
        [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8]]
    );
}

#[test]
fn what_no_batch_has_room_for_is_refused() {
    let mut queue = queue(&[]);
    assert_eq!(queue.submit(Vec::new()), Err(TextRefusal::Empty));
    let refusal = queue.submit(vec![0; 21]).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the text has 21 tokens, and a batch has room for 20"
    );
    assert!(queue.submit(vec![0; 20]).is_ok());
}

#[test]
fn an_aborted_text_is_in_no_batch() {
    let mut queue = queue(&[3, 4, 5]);
    assert!(queue.abort(TextId(1)) && !queue.abort(TextId(1)) && !queue.abort(TextId(7)));
    assert_eq!((queue.len(), queue.tokens()), (2, 8));
    assert_eq!(batches(queue), [vec![2, 0]]);
}

/// What happens to a queue.
#[derive(Clone, Debug)]
enum Step {
    Submit(usize),
    /// One of those that were submitted.
    Abort(prop::sample::Index),
    Batch,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..=20usize).prop_map(Step::Submit),
        1 => any::<prop::sample::Index>().prop_map(Step::Abort),
        1 => Just(Step::Batch),
    ];
    prop::collection::vec(step, 0..400)
}

proptest! {
    #[test]
    fn each_text_is_computed_once_within_the_limits_and_in_time(steps in steps()) {
        let mut queue = queue(&[]);
        let mut batch = TextBatch::default();
        // Of each text that waits: its length, and the batches that it may still wait for.
        let mut waiting: BTreeMap<TextId, (usize, usize)> = BTreeMap::new();
        let mut left: BTreeSet<TextId> = BTreeSet::new();
        let last = std::iter::repeat_n(Step::Batch, 400);
        for step in steps.into_iter().chain(last) {
            match step {
                Step::Submit(length) => {
                    let text = queue.submit(vec![7; length]).unwrap();
                    let patience = waiting.len();
                    prop_assert!(waiting.insert(text, (length, patience)).is_none());
                }
                Step::Abort(index) => {
                    let all: Vec<TextId> = waiting.keys().chain(&left).copied().collect();
                    if !all.is_empty() {
                        let text = *index.get(&all);
                        prop_assert_eq!(queue.abort(text), waiting.remove(&text).is_some());
                        left.insert(text);
                    }
                }
                Step::Batch => {
                    prop_assert_eq!(queue.next_batch(&mut batch), !waiting.is_empty());
                    prop_assert!(batch.texts.len() <= LIMITS.texts_max);
                    prop_assert!(batch.tokens.len() <= LIMITS.tokens_max);
                    prop_assert_eq!(batch.lengths.iter().sum::<usize>(), batch.tokens.len());
                    prop_assert!(batch.lengths.is_sorted_by(|a, b| a >= b));
                    for (text, length) in batch.texts.iter().zip(&batch.lengths) {
                        let taken = waiting.remove(text);
                        prop_assert_eq!(taken.map(|(length, _)| length), Some(*length));
                        left.insert(*text);
                    }
                    for (_, patience) in waiting.values_mut() {
                        prop_assert!(*patience > 0, "a text has waited too long");
                        *patience -= 1;
                    }
                }
            }
            prop_assert_eq!(queue.len(), waiting.len());
            prop_assert_eq!(queue.tokens(), waiting.values().map(|(length, _)| length).sum::<usize>());
        }
        prop_assert!(queue.is_empty());
    }
}
