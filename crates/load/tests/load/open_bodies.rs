//! Streams that say they are over and whose body goes on, and such that only seem to say so.

use crate::{ms, outcomes};
use load::Deadlines;
use stats::RequestMetrics;
use std::time::Duration;
use testkit::{
    End, Reply, Run, ScriptedServer, Setup, chunk, closed, content, finish, run_plan, stream_head,
};
use trace::{Outcome, TimeoutKind};

/// The head, and then writes of body at their times.
fn body(writes: Vec<(u64, Vec<u8>)>) -> Reply {
    let head = std::iter::once((0, stream_head()));
    Reply::new(head.chain(writes.into_iter().map(|(at, bytes)| (at, chunk(&bytes)))))
}

/// The finish reason and the token counts, without `[DONE]`.
fn finish_alone(tokens: u64) -> Vec<u8> {
    let mut end = finish(tokens);
    end.truncate(end.len() - openai::DONE.len());
    end
}

/// Two such requests, one after the other.
async fn ask_twice(reply: impl Fn() -> Reply + 'static, stall: u64, total: u64) -> Run {
    let server = ScriptedServer::new(move |_| reply());
    let minute = Duration::from_mins(1);
    let setup = Setup {
        deadlines: Deadlines {
            connect: minute,
            first_token: minute,
            stall: Duration::from_millis(stall),
            total: Duration::from_millis(total),
        },
        ..Setup::on(server.clock())
    };
    run_plan(server.pipes(), &closed(1, 2), &setup).await
}

#[tokio::test(start_paused = true)]
async fn text_and_comments_that_read_like_the_end_do_not_end_a_stream() {
    let text = String::from_utf8(content(" say [DONE] now")).unwrap();
    let (before, after) = text.split_at(text.find(" now").unwrap());
    let cut_in_text = vec![
        (10, before.as_bytes().to_vec()),
        (3_000, after.as_bytes().to_vec()),
        (6_000, content(" b")),
        (9_000, finish(2)),
    ];
    let comment = vec![
        (10, content(" a")),
        (20, b": [DONE]\n\n".to_vec()),
        (6_000, content(" b")),
        (9_000, finish(2)),
    ];
    for writes in [cut_in_text, comment] {
        let reply = move || body(writes.clone()).then(End::Hold);
        let run = ask_twice(reply, 60_000, 60_000).await;
        let record = &run.records[0];
        assert_eq!(
            (record.outcome, record.done),
            (Outcome::Complete, ms(9_000))
        );
        let tokens = record.events.iter().filter(|event| event.kind.is_token());
        assert_eq!(tokens.count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stays_open_after_done_holds_its_slot_for_a_second() {
    let reply = || body(vec![(10, content(" a")), (500, finish(1))]).then(End::Hold);
    let run = ask_twice(reply, 60_000, 60_000).await;
    assert_eq!(outcomes(&run.records), [Outcome::Complete; 2]);
    assert_eq!(run.records[0].done, ms(500));
    assert_eq!(run.records[0].released, Some(ms(1_500)));
    assert_eq!(run.records[1].issued, ms(1_500));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_ends_with_its_last_event_was_not_held_open() {
    let reply = || {
        body(vec![
            (10, content(" a")),
            (500, finish(1)),
            (500, Vec::new()),
        ])
    };
    let run = ask_twice(reply, 60_000, 60_000).await;
    assert_eq!(outcomes(&run.records), [Outcome::Complete; 2]);
    assert_eq!(run.records[0].released, None);
}

#[tokio::test(start_paused = true)]
async fn a_done_that_drips_in_is_found_all_the_same() {
    let end = String::from_utf8(finish(1)).unwrap();
    let (before, after) = end.split_at(end.find("ONE]").unwrap());
    let (before, after) = (before.as_bytes().to_vec(), after.as_bytes().to_vec());
    let reply = move || {
        let writes = vec![
            (10, content(" a")),
            (500, before.clone()),
            (510, after[..1].to_vec()),
            (520, after[1..3].to_vec()),
            (530, after[3..].to_vec()),
        ];
        body(writes).then(End::Hold)
    };
    let run = ask_twice(reply, 60_000, 60_000).await;
    assert_eq!(outcomes(&run.records), [Outcome::Complete; 2]);
    assert_eq!(run.records[0].done, ms(530));
    // The look at one second finds it, and the body has a second from when it came.
    assert_eq!(run.records[1].issued, ms(1_530));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_finished_without_done_holds_its_slot_for_two_seconds() {
    // The second one is not even silent.
    for noise in [None, Some(b": still here\n\n".to_vec())] {
        let reply = move || {
            let mut writes = vec![(10, content(" a")), (510, content(" b"))];
            writes.push((600, finish_alone(2)));
            let pings = noise.clone().into_iter();
            writes
                .extend(pings.flat_map(|ping| (1..50).map(move |n| (600 + n * 250, ping.clone()))));
            body(writes).then(End::Hold)
        };
        let run = ask_twice(reply, 60_000, 60_000).await;
        assert_eq!(outcomes(&run.records), [Outcome::Complete; 2]);
        assert_eq!(run.records[1].issued, ms(2_600));
        let record = &run.records[0];
        assert_eq!((record.done, record.done_read), (ms(600), ms(600)));
        let metrics = RequestMetrics::from_record(record).unwrap();
        assert_eq!(metrics.e2e, Some(ms(510)));
        assert_eq!(metrics.stream_end, Some(ms(600)));
        assert_eq!(metrics.output_tokens, Some(2));
    }
}

#[tokio::test(start_paused = true)]
async fn deadlines_that_are_shorter_end_a_finished_stream_sooner_and_it_is_whole() {
    for (stall, total, next) in [(900, 60_000, 1_500), (60_000, 1_700, 1_700)] {
        let reply = || body(vec![(10, content(" a")), (600, finish_alone(1))]).then(End::Hold);
        let run = ask_twice(reply, stall, total).await;
        assert_eq!(outcomes(&run.records), [Outcome::Complete; 2]);
        assert_eq!(
            (run.records[0].done, run.records[1].issued),
            (ms(600), ms(next))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn token_counts_that_come_a_second_after_the_finish_are_not_lost() {
    let reply = || {
        let end = String::from_utf8(finish_alone(5)).unwrap();
        let (reason, usage) = end.split_at(end.find("\n\n").unwrap() + 2);
        let (reason, usage) = (reason.as_bytes().to_vec(), usage.as_bytes().to_vec());
        body(vec![(10, content(" a")), (600, reason), (1_600, usage)]).then(End::Hold)
    };
    let run = ask_twice(reply, 60_000, 60_000).await;
    let metrics = RequestMetrics::from_record(&run.records[0]).unwrap();
    assert_eq!(metrics.output_tokens, Some(5));
    assert_eq!(metrics.stream_end, Some(ms(1_600)));
}

#[tokio::test(start_paused = true)]
async fn who_gives_a_reason_with_every_event_has_not_finished() {
    let both = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" a\"},\"finish_reason\":\"stop\"}]}\n\n";
    let reply = move || {
        let writes = (1..4).map(|n| (n * 1_000, both.to_vec())).collect();
        body(writes).then(End::Hold)
    };
    let run = ask_twice(reply, 10_000, 60_000).await;
    let stalled = Outcome::Timeout(TimeoutKind::Stall);
    assert_eq!(
        (run.records[0].outcome, run.records[0].done),
        (stalled, ms(13_000))
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_without_its_last_chunk_is_whole_after_done_or_the_last_reason() {
    for end in [finish(1), finish_alone(1)] {
        let reply = move || {
            let writes = vec![
                (10, content(" a")),
                (20, end.clone()),
                (500, b": x\n\n".to_vec()),
            ];
            body(writes).then(End::Close)
        };
        let run = ask_twice(reply, 60_000, 60_000).await;
        assert_eq!(outcomes(&run.records), [Outcome::Complete; 2]);
        // When the connection was closed is no part of the answer.
        assert_eq!(run.records[0].done, ms(20));
        assert_eq!(run.records[1].issued, ms(500));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_event_ends_a_stream_whose_body_stays_open() {
    let error = b"data: {\"error\":{\"message\":\"out of memory\"}}\n\n".to_vec();
    let reply = move || body(vec![(10, content(" a")), (300, error.clone())]).then(End::Hold);
    let run = ask_twice(reply, 60_000, 60_000).await;
    assert_eq!(outcomes(&run.records), [Outcome::ServerError; 2]);
    assert_eq!(run.records[1].issued, ms(1_000), "at the next look");
}
