//! What bytes from a socket pass first: HTTP's framing on both sides, server-sent events, and a page of metrics.

use crate::split::splits;
use http1::{Budget, Limits, Receiver, Refusal};
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

/// Requests with their paths and bodies, and the status of the refusal that ended them.
type Requests = (Vec<(String, Vec<u8>)>, Option<u16>);

fn requests(pieces: &[&[u8]]) -> Requests {
    let limits = Limits {
        body_bytes_max: 1 << 16,
        ..Limits::default()
    };
    let budget = Budget::new(1 << 20);
    let mut receiver = Receiver::new(&limits, &budget);
    let mut found = Vec::new();
    let mut head = None;
    let mut take = |piece: &[u8]| -> Result<(), Refusal> {
        receiver.push(piece)?;
        loop {
            if head.is_none() {
                head = receiver.head()?;
            }
            let Some(of) = &head else { return Ok(()) };
            let Some(body) = receiver.body()? else {
                return Ok(());
            };
            found.push((of.path().to_owned(), body.bytes));
            head = None;
        }
    };
    let ended = pieces.iter().try_for_each(|piece| take(piece));
    drop(receiver);
    assert_eq!(budget.taken(), 0, "what was held is given back");
    (found, ended.err().map(|refusal| refusal.status))
}

/// Any split of a client's bytes gives the same requests, and their bodies are never longer than the bytes are.
pub(crate) fn http_request(bytes: &[u8]) {
    let whole = requests(&[bytes]);
    let bodies: usize = whole.0.iter().map(|(_, body)| body.len()).sum();
    assert!(bodies <= bytes.len());
    for pieces in splits(bytes) {
        assert_eq!(requests(&pieces), whole);
    }
}
