use super::Receiver;
use crate::{Budget, Head, Limits, Refusal};
use proptest::prelude::*;
use std::sync::Arc;

const WITH_LENGTH: &[u8] =
    b"POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &[u8] = b"POST /v1/completions HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n\
    3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: t\r\n\r\n";

fn receiver(budget: &Arc<Budget>) -> Receiver {
    let limits = Limits {
        body_bytes_max: 1 << 20,
        ..Limits::default()
    };
    Receiver::new(&limits, budget)
}

/// Requests of `pieces`, and why it ended early where it did.
fn requests(pieces: &[&[u8]]) -> (Vec<(String, Vec<u8>)>, Option<Refusal>) {
    let mut receiver = receiver(&Budget::new(1 << 20));
    let mut found = Vec::new();
    let mut head: Option<Head> = None;
    for piece in pieces {
        if let Err(refusal) = receiver.push(piece) {
            return (found, Some(refusal));
        }
        loop {
            match &head {
                None => match receiver.head() {
                    Ok(Some(found)) => head = Some(found),
                    Ok(None) => break,
                    Err(refusal) => return (found, Some(refusal)),
                },
                Some(of) => match receiver.body() {
                    Ok(Some(body)) => {
                        found.push((of.path().to_owned(), body.bytes));
                        head = None;
                    }
                    Ok(None) => break,
                    Err(refusal) => return (found, Some(refusal)),
                },
            }
        }
    }
    (found, None)
}

#[test]
fn requests_are_found_one_after_the_other_wherever_reads_are_cut() {
    let wire = [b"\r\n\n", WITH_LENGTH, CHUNKED, WITH_LENGTH].concat();
    let whole = requests(&[&wire]);
    assert_eq!(
        whole
            .0
            .iter()
            .map(|(path, _)| path.as_str())
            .collect::<Vec<_>>(),
        [
            "/v1/chat/completions",
            "/v1/completions",
            "/v1/chat/completions"
        ]
    );
    assert!(whole.0.iter().all(|(_, body)| body == b"hello"));
    for cut in 0..wire.len() {
        assert_eq!(requests(&[&wire[..cut], &wire[cut..]]), whole, "{cut}");
    }
}

#[test]
fn what_is_no_request_is_refused_with_its_status() {
    let long = format!(
        "GET / HTTP/1.1\r\na: {}",
        "x".repeat(Limits::HEAD_BYTES_MAX)
    );
    let post = "POST / HTTP/1.1\r\n";
    for (text, status) in [
        ("\0\0\r\n\r\n".to_owned(), 400),
        (long, 431),
        (
            format!("{post}content-length: {}\r\n\r\n", (1 << 20) + 1),
            413,
        ),
        (
            format!("{post}transfer-encoding: chunked\r\n\r\nzz\r\n"),
            400,
        ),
        (
            format!("{post}transfer-encoding: chunked\r\n\r\nffffffff\r\n"),
            413,
        ),
    ] {
        let (found, refusal) = requests(&[text.as_bytes()]);
        let refusal = refusal.unwrap_or_else(|| panic!("{text:.60}: {found:?}"));
        assert_eq!(refusal.status, status, "{text:.60}");
    }
}

/// Memory is in proportion to what was sent, and a head that promises much takes nothing.
#[test]
fn partial_bodies_share_a_budget_and_a_small_request_needs_none() {
    let budget = Budget::new(1 << 20);
    let head = b"POST / HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n";
    let chunks = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nf4240\r\n";
    let mut open: Vec<Receiver> = Vec::new();
    for index in 0..400 {
        let mut receiver = receiver(&budget);
        receiver
            .push(if index % 2 == 0 { head } else { chunks })
            .unwrap();
        assert!(receiver.head().unwrap().is_some());
        assert!(receiver.body().unwrap().is_none());
        open.push(receiver);
    }
    assert_eq!(budget.taken(), 0, "nothing but heads came");
    let mut refused = 0;
    for receiver in &mut open {
        let mut sent = 0;
        let fate = loop {
            if sent == 100_000 {
                break Ok(());
            }
            sent += 10_000;
            let taken = receiver
                .push(&[b'x'; 10_000])
                .and_then(|()| receiver.body());
            if let Err(refusal) = taken {
                break Err(refusal);
            }
        };
        if let Err(refusal) = fate {
            assert_eq!(refusal.status, 503);
            receiver.forget();
            refused += 1;
        }
        assert!(budget.taken() <= budget.most());
    }
    assert!(
        (380..400).contains(&refused),
        "{refused} of 400 were refused"
    );
    let mut small = receiver(&budget);
    small.push(WITH_LENGTH).unwrap();
    small.head().unwrap().unwrap();
    assert_eq!(small.body().unwrap().unwrap().bytes, b"hello");
    drop(open);
    assert_eq!(budget.taken(), 0);
}

#[test]
fn a_body_stays_counted_until_its_answer_is_done() {
    let budget = Budget::new(1 << 20);
    let mut receiver = receiver(&budget);
    let length = Budget::FREE_BYTES + 1000;
    let head = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n");
    receiver.push(head.as_bytes()).unwrap();
    receiver.head().unwrap().unwrap();
    for _ in 0..length {
        receiver.push(b"x").unwrap();
    }
    let body = receiver.body().unwrap().unwrap();
    assert_eq!(
        budget.taken(),
        1000,
        "no room beyond a length that is known"
    );
    drop(body);
    assert_eq!((budget.taken(), receiver.held()), (0, 0));
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_give_the_same_requests(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'0')], 0..120),
        prefix in 0usize..4,
        cut in 0usize..300,
    ) {
        let prefix = [&b""[..], WITH_LENGTH, CHUNKED, b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"][prefix];
        let wire = [prefix, &bytes].concat();
        let cut = cut.min(wire.len());
        let (whole, cut) = (requests(&[&wire]), requests(&[&wire[..cut], &wire[cut..]]));
        prop_assert_eq!(whole.0, cut.0);
        prop_assert_eq!(whole.1.map(|refusal| refusal.status), cut.1.map(|refusal| refusal.status));
    }
}
