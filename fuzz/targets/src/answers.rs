//! Answers of a server: streams, and whole bodies.

use crate::split::splits;
use openai::{BodyForm, Completion, PooledReply, PoolingTask, StreamDecoder, StreamEnd};

fn read(decoder: StreamDecoder<()>, pieces: &[&[u8]]) -> StreamEnd<()> {
    let mut decoder = decoder;
    let _told_at_the_end = pieces.iter().try_for_each(|piece| decoder.push(piece, ()));
    decoder.finish()
}

/// Any split of a stream gives the same answer, whose counts stay within its bytes.
pub(crate) fn stream(bytes: &[u8]) {
    for new in [StreamDecoder::new, StreamDecoder::of_lines] {
        for choices in [1, 2] {
            let whole = read(new(choices), &[bytes]);
            // A text that holds no more than the bytes is no longer than they are: escapes only grow it.
            let of_events: u64 = whole
                .events
                .iter()
                .map(|event| u64::from(event.text_bytes))
                .sum();
            assert!(of_events <= bytes.len() as u64, "{of_events} bytes of text");
            assert!(whole.facts.text.bytes <= bytes.len() as u64);
            assert!(whole.facts.text.characters <= whole.facts.text.bytes);
            assert!(whole.events.len() <= bytes.len());
            assert!(!(whole.whole && whole.error.is_some()));
            for pieces in splits(bytes) {
                assert_eq!(read(new(choices), &pieces), whole);
            }
        }
    }
}

/// Whole bodies, of every kind that may come back.
pub(crate) fn answer(bytes: &[u8]) {
    if let Ok(completion) = Completion::parse(bytes) {
        assert!(completion.text_bytes <= bytes.len() as u64);
        assert!(completion.facts.text.characters <= completion.text_bytes);
        assert!(completion.facts.choices as usize <= bytes.len());
    }
    let _any = openai::error_message(bytes);
    assert!(openai::model_ids(bytes).len() <= bytes.len());
    let _any = (BodyForm::of(bytes), openai::is_object(bytes));
    for task in [PoolingTask::Embed, PoolingTask::Score, PoolingTask::Rerank] {
        for texts in [1, 2] {
            if let Ok(reply) = PooledReply::parse(bytes, task, texts) {
                let numbers: usize = reply.vectors.iter().map(Vec::len).sum();
                assert!(numbers <= bytes.len());
                assert!(reply.vectors.len() <= texts && reply.scores.len() <= texts);
                assert!(
                    reply
                        .vectors
                        .iter()
                        .all(|vector| Some(vector.len()) == reply.dimensions())
                );
            }
        }
    }
}
