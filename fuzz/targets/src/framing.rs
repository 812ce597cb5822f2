//! What a server's bytes pass first: HTTP's framing, server-sent events, and its page of metrics.

use crate::split::splits;
use load::fuzzing::{read_response, server_metrics};
use openai::{SseDecoder, StreamError};

/// Any split of a connection's bytes gives the same response, and its body is never longer than they are.
pub(crate) fn http_response(bytes: &[u8]) {
    let whole = read_response([bytes]);
    assert!(whole.body.len() <= bytes.len());
    assert!(!whole.is_whole || whole.error.is_none());
    for pieces in splits(bytes) {
        assert_eq!(read_response(pieces), whole);
    }
}

/// Events with their names and offsets, and why reading ended early.
type Events = (Vec<(Vec<u8>, Vec<u8>, u64)>, Option<StreamError>);

fn events(decoder: SseDecoder, pieces: &[&[u8]]) -> Events {
    let mut decoder = decoder;
    let mut events = Vec::new();
    let mut keep = |event: openai::SseEvent<'_>| {
        events.push((event.name.to_vec(), event.data.to_vec(), event.offset));
        Ok(())
    };
    let pushed = pieces
        .iter()
        .try_for_each(|piece| decoder.push(piece, &mut keep));
    let ended = pushed.and_then(|()| decoder.finish(&mut keep));
    (events, ended.err())
}

/// Any split gives the same events, which lie within the bytes and in their order.
pub(crate) fn sse(bytes: &[u8]) {
    for new in [SseDecoder::new, SseDecoder::of_lines] {
        let whole = events(new(), &[bytes]);
        let data: usize = whole
            .0
            .iter()
            .map(|(name, data, _)| name.len() + data.len())
            .sum();
        assert!(data <= bytes.len(), "{data} bytes of events");
        assert!(whole.0.is_sorted_by(|one, next| one.2 < next.2));
        assert!(whole.0.iter().all(|event| event.2 < bytes.len() as u64));
        for pieces in splits(bytes) {
            assert_eq!(events(new(), &pieces), whole);
        }
    }
}

/// What a page says are numbers, and its histogram is in order.
pub(crate) fn metrics(bytes: &[u8]) {
    let Ok(page) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some(sample) = server_metrics(page) else {
        return;
    };
    let buckets = &sample.ttft_buckets;
    assert!(buckets.is_sorted_by(|one, next| one.up_to < next.up_to));
    assert!(buckets.iter().all(|bucket| bucket.up_to.is_finite()));
    // A number that JSON has no word for would be lost in a file of records.
    let written = serde_json::to_string(&sample).unwrap();
    assert_eq!(
        serde_json::from_str::<trace::ServerSample>(&written).unwrap(),
        sample
    );
}
