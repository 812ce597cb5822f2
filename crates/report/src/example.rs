//! A summary made by hand, with something of everything, for the tests of this crate.

use serde_json::json;
use stats::{
    Concurrency, Distribution, FailureCount, Goodput, Grade, Interval, Latency, MeanStd,
    PointSummary, Quantile, Reason, Receipt, Reliability, SteadyState, Summary, Throughput,
    Timings, TokenSource, Tokens, Verdict,
};
use trace::{
    Arrival, Event, EventKind, Nanos, Outcome, Pacing, PointInfo, Record, RunId, StampSource, Usage,
};

/// A file as the first script of this kind wrote it: nothing but metadata and results.
pub(crate) const FIRST_RESULT_FILE: &str = r#"{
  "metadata": { "timestamp": "2025-02-04T21:33:32.902353", "model": "distill-llama-8b" },
  "results": {
    "10": {
      "throughput": {
        "batch_tokens_per_second": { "mean": 1204.5, "std": 31.0 },
        "request_tokens_per_second": { "mean": 171.2, "std": 5.1 }
      }
    },
    "2": {
      "throughput": {
        "batch_tokens_per_second": { "mean": 301.25, "std": 12.0 },
        "request_tokens_per_second": { "mean": 181.0, "std": 2.5 }
      }
    },
    "64": {
      "tokens": {
        "input_per_request": { "mean": 112.578125, "std": 55.21709922324872 },
        "output_per_request": { "mean": 6211.13125, "std": 3030.1517578348125 }
      },
      "timings": {
        "batch_total_seconds": { "mean": 106.69955926425754, "std": 5.002876034171101 }
      },
      "throughput": {
        "batch_tokens_per_second": { "mean": 3729.295223546461, "std": 122.2431365137911 },
        "request_tokens_per_second": { "mean": 159.1587231541266, "std": 8.273409865481359 }
      }
    }
  }
}
"#;

/// A complete stream at the point of that number: issued at `issued` ms, with a token at each of `tokens`.
pub(crate) fn record(point: u32, id: u64, issued: u64, tokens: &[u64]) -> Record {
    let ms = Nanos::from_millis;
    let event = |(read, &at): (u32, &u64)| Event {
        kind: EventKind::Content,
        arrived: ms(at),
        read: ms(at),
        read_index: read,
        text_bytes: 4,
        tokens: None,
        choice: 0,
    };
    let done = ms(tokens.last().copied().unwrap_or(issued));
    let run = RunId {
        point,
        ..RunId::default()
    };
    Record {
        done,
        done_read: done,
        stream: true,
        events: (0..).zip(tokens).map(event).collect(),
        usage: Some(Usage {
            prompt_tokens: Some(100),
            completion_tokens: Some(tokens.len() as u64),
            ..Usage::default()
        }),
        outcome: Outcome::Complete,
        status: Some(200),
        ..Record::begun(run, id, ms(issued))
    }
}

/// What a server might say to whoever prints it.
pub(crate) const HOSTILE: &str = "\u{1b}[2J=cmd|' /C calc'!A1 <b>`rm`</b>\u{202e}\nslow down";

/// Batch sizes 1, 8 and 64: small and sure of little, sound, large with failures.
pub(crate) fn summary() -> Summary {
    let points = vec![one(), eight(), sixty_four()];
    let reasons = points
        .iter()
        .flat_map(|point| point.verdict.reasons.clone())
        .collect();
    Summary {
        schema_version: 1,
        metadata: metadata(),
        subject: trace::Subject::default(),
        points,
        assertions: Vec::new(),
        precision: Vec::new(),
        certificate: None,
        verdict: Verdict {
            grade: Grade::Suspect,
            reasons,
            facts: Vec::new(),
        },
    }
}

/// One point at an arrival rate, late and invalid.
pub(crate) fn open_loop() -> Summary {
    let mut point = eight();
    point.point = PointInfo {
        key: "2.5".to_owned(),
        pacing: Pacing::Open {
            arrival: Arrival::Poisson { rate: 2.5 },
            max_concurrency: None,
        },
    };
    point.runs = 1;
    point.tokens.output_source = TokenSource::Estimated;
    point.latency.itl = None;
    point.latency.ttft_from_due = Some(sample(96, [61.0, 48.1, 101.2, 118.9, 160.4]));
    point.latency.e2e_from_due = Some(sample(96, [2_140.0, 2_101.0, 2_980.0, 3_104.0, 3_388.0]));
    point.latency.issue_lag = Some(sample(96, [9.1, 4.2, 20.5, 31.0, 55.0]));
    if let Some(ttft) = &mut point.latency.ttft {
        ttft.n_effective = Some(11.0);
        ttft.p50.interval = None;
    }
    if let Some(steady) = &mut point.steady_state {
        steady.warmup_seconds = Some(3.21);
        steady.output_tokens_per_second_interval = Some(Interval {
            low: 1_421.0,
            high: 1_472.0,
        });
    }
    point.concurrency = Concurrency {
        asked: None,
        peak: 14,
        achieved: Some(5.31),
        littles_law: Some(5.28),
        asked_rate: Some(2.5),
        issued_rate: Some(2.41),
    };
    point.goodput = Some(Goodput {
        requests_per_second: 2.2,
        share: 0.917,
        share_interval: None,
        n_effective: None,
    });
    point.verdict = Verdict {
        grade: Grade::Invalid,
        reasons: vec![reason(
            Grade::Invalid,
            "load_not_delivered",
            "2.5",
            "2.41 requests per second were released where 2.5 were asked, 3.6 % off where 1 % is \
             allowed: run the client on a machine with more free processors.",
        )],
        facts: Vec::new(),
    };
    let verdict = point.verdict.clone();
    Summary {
        schema_version: 1,
        metadata: metadata(),
        subject: trace::Subject::default(),
        points: vec![point],
        verdict,
        assertions: Vec::new(),
        precision: Vec::new(),
        certificate: None,
    }
}

/// One point in which every request was refused.
pub(crate) fn nothing_succeeded() -> Summary {
    let none = one();
    let verdict = Verdict {
        grade: Grade::Invalid,
        reasons: vec![reason(
            Grade::Invalid,
            "nothing_succeeded",
            "1",
            "None of 3 requests succeeded: read the failures above.",
        )],
        facts: Vec::new(),
    };
    let point = PointSummary {
        reliability: Reliability {
            planned: 3,
            issued: 3,
            failed: 3,
            success_rate: Some(0.0),
            failures: vec![failure("connect", 3, Some("connection refused"))],
            ..Reliability::default()
        },
        tokens: Tokens {
            input_per_request: None,
            output_per_request: None,
            input_total: None,
            output_total: None,
            cached_total: None,
            output_source: TokenSource::None,
            recounted: None,
        },
        timings: Timings {
            batch_total_seconds: None,
            fastest_seconds: None,
            slowest_seconds: None,
            spread_seconds: None,
        },
        throughput: Throughput {
            batch_tokens_per_second: None,
            batch_tokens_per_second_interval: None,
            request_tokens_per_second: None,
            decode_tokens_per_second: None,
            input_tokens_per_second: None,
            output_tokens_per_second: None,
            requests_per_second: None,
        },
        latency: Latency::default(),
        steady_state: None,
        verdict: verdict.clone(),
        ..none
    };
    Summary {
        schema_version: 1,
        metadata: metadata(),
        subject: trace::Subject::default(),
        points: vec![point],
        verdict,
        assertions: Vec::new(),
        precision: Vec::new(),
        certificate: None,
    }
}

fn metadata() -> serde_json::Map<String, serde_json::Value> {
    let value = json!({
        "timestamp": "2025-02-04T21:33:32.902353",
        "model": "distill-llama-8b",
        "description": "Deepseek R1 distill 8B TP8 A100s",
        "num_runs": 3,
    });
    value.as_object().unwrap().clone()
}

fn one() -> PointSummary {
    let mut point = point(1, 3, [181.2, 2.41], [181.9, 2.3]);
    point.latency.ttft = Some(sample(3, [31.4, 30.9, 33.0, 33.3, 33.51]));
    point.latency.tpot = Some(sample(3, [5.49, 5.48, 5.5, 5.5, 5.51]));
    point.latency.e2e = Some(sample(
        3,
        [33_190.0, 33_010.0, 34_400.0, 34_560.0, 34_690.0],
    ));
    point.steady_state = None;
    point.verdict = Verdict {
        grade: Grade::Suspect,
        reasons: vec![reason(
            Grade::Suspect,
            "few_samples",
            "1",
            "p99 rests on 3 requests where its interval needs 368: raise `--num_runs`.",
        )],
        facts: Vec::new(),
    };
    point
}

fn eight() -> PointSummary {
    point(8, 24, [1_204.5, 31.2], [172.4, 5.12])
}

fn sixty_four() -> PointSummary {
    let mut point = point(
        64,
        189,
        [3_729.295_223_546_461, 122.243_136_513_791_1],
        [159.158_723_154_126_6, 8.273_409_865_481_359],
    );
    point.reliability.issued = 192;
    point.reliability.planned = 192;
    point.reliability.failed = 3;
    point.reliability.success_rate = Some(189.0 / 192.0);
    point.reliability.failures = vec![
        failure("http_429", 2, Some(HOSTILE)),
        failure("timeout_stall", 1, None),
    ];
    point.tokens.input_per_request = Some(MeanStd {
        n: 189,
        mean: 112.578_125,
        std: 55.217,
        min: 112.578_125 - 55.217,
        max: 112.578_125 + 55.217,
    });
    point.tokens.output_per_request = Some(MeanStd {
        n: 189,
        mean: 6_211.131_25,
        std: 3_030.151_757_834_812_5,
        min: 6_211.131_25 - 3_030.151_757_834_812_5,
        max: 6_211.131_25 + 3_030.151_757_834_812_5,
    });
    point.tokens.input_total = Some(21_277);
    point.tokens.output_total = Some(1_173_904);
    point.timings.spread_seconds = Some(MeanStd {
        n: 3,
        mean: 101.353,
        std: 4.984,
        min: 101.353 - 4.984,
        max: 101.353 + 4.984,
    });
    point.latency.ttft = Some(sample(189, [420.1, 401.7, 702.5, 790.0, 880.4]));
    point.receipt.coalesced_share = Some(0.031);
    point.receipt.coalesced_width = Some(0.42);
    point.verdict = Verdict {
        grade: Grade::Valid,
        reasons: Vec::new(),
        facts: Vec::new(),
    };
    point
}

fn mean_std(n: u64, [mean, std]: [f64; 2]) -> MeanStd {
    MeanStd {
        n,
        mean,
        std,
        min: mean - std,
        max: mean + std,
    }
}

fn timings() -> Timings {
    Timings {
        batch_total_seconds: Some(mean_std(3, [106.7, 5.003])),
        fastest_seconds: Some(mean_std(3, [5.344, 1.642])),
        slowest_seconds: Some(mean_std(3, [106.697, 5.003])),
        spread_seconds: Some(mean_std(3, [101.353, 4.984])),
    }
}

fn point(size: u32, complete: u64, batch: [f64; 2], request: [f64; 2]) -> PointSummary {
    PointSummary {
        answers: None,
        conversations: None,
        server: None,
        slow_queue: None,
        point: PointInfo {
            key: size.to_string(),
            pacing: Pacing::Burst { size },
        },
        runs: 3,
        reliability: Reliability {
            planned: complete,
            issued: complete,
            complete,
            success_rate: Some(1.0),
            ..Reliability::default()
        },
        tokens: Tokens {
            input_per_request: Some(mean_std(complete, [110.2, 54.0])),
            output_per_request: Some(mean_std(complete, [6_030.0, 3_010.0])),
            input_total: Some(2_645),
            output_total: Some(144_720),
            cached_total: None,
            output_source: TokenSource::Usage,
            recounted: None,
        },
        timings: timings(),
        throughput: Throughput {
            batch_tokens_per_second: Some(mean_std(3, batch)),
            batch_tokens_per_second_interval: Some(Interval {
                low: batch[0] - batch[1],
                high: batch[0] + batch[1],
            }),
            request_tokens_per_second: Some(mean_std(complete, request)),
            decode_tokens_per_second: Some(mean_std(complete, [182.0, 3.1])),
            input_tokens_per_second: Some(mean_std(3, [22.1, 1.2])),
            output_tokens_per_second: Some(mean_std(3, batch)),
            requests_per_second: Some(mean_std(3, [0.612, 0.02])),
        },
        latency: Latency {
            ttft: Some(sample(complete, [48.2, 45.1, 60.2, 65.0, 80.1])),
            tpot: Some(sample(complete, [6.31, 6.12, 7.4, 7.9, 8.85])),
            itl: Some(sample(complete * 6_000, [6.3, 5.98, 8.1, 9.7, 14.2])),
            chunk_gap: Some(sample(complete * 6_000, [6.3, 5.98, 8.1, 9.7, 14.2])),
            e2e: Some(sample(
                complete,
                [39_120.0, 38_220.0, 80_500.0, 92_010.0, 104_800.0],
            )),
            stream_end: Some(sample(
                complete,
                [39_121.0, 38_221.0, 80_501.0, 92_012.0, 104_801.0],
            )),
            connect: Some(sample(complete, [0.41, 0.39, 0.6, 0.71, 0.92])),
            ..Latency::default()
        },
        steady_state: Some(SteadyState {
            seconds: 80.2,
            share: 0.752,
            output_tokens_per_second: Some(mean_std(3, [batch[0] * 1.2, batch[1]])),
            output_tokens_per_second_interval: None,
            requests_per_second: Some(mean_std(3, [0.744, 0.021])),
            requests_per_second_interval: None,
            warmup_seconds: None,
            ttft: Some(sample(complete, [48.2, 45.1, 60.2, 65.0, 80.1])),
            tpot: None,
            e2e: None,
        }),
        concurrency: Concurrency {
            asked: Some(size),
            peak: size,
            achieved: Some(f64::from(size) * 0.61),
            littles_law: Some(f64::from(size) * 0.6),
            asked_rate: None,
            issued_rate: None,
        },
        goodput: None,
        pooling: None,
        prompt_lengths: None,
        classes: Vec::new(),
        receipt: Receipt {
            stamps: Some(StampSource::Kernel),
            client_lag: Some(sample(complete * 6_000, [0.021, 0.018, 0.03, 0.04, 0.052])),
            coalesced_share: Some(0.002),
            coalesced_width: None,
            client_cpu_share: Some(0.11),
            disturbed: None,
        },
        verdict: Verdict {
            grade: Grade::Valid,
            reasons: Vec::new(),
            facts: Vec::new(),
        },
    }
}

/// From mean, p50, p90, p95 and p99. The interval of a percentile exists where enough values lie on
/// either side of it, roughly as in a real sample.
fn sample(n: u64, [mean, p50, p90, p95, p99]: [f64; 5]) -> Distribution {
    let quantile = |value: f64, needed: u64| Quantile {
        value,
        interval: (n >= needed).then_some(Interval {
            low: value * 0.97,
            high: value * 1.04,
        }),
    };
    Distribution {
        n,
        mean,
        std: (p90 - p50) / 1.28,
        min: p50 * 0.8,
        max: p99 * 1.01,
        n_effective: Some(n as f64),
        mean_interval: (n >= 20).then_some(Interval {
            low: mean * 0.98,
            high: mean * 1.03,
        }),
        p50: quantile(p50, 6),
        p90: quantile(p90, 36),
        p95: quantile(p95, 73),
        p99: quantile(p99, 368),
    }
}

fn reason(grade: Grade, code: &str, point: &str, sentence: &str) -> Reason {
    Reason::new(grade, code, Some(point), sentence)
}

fn failure(kind: &str, count: u64, example: Option<&str>) -> FailureCount {
    FailureCount {
        kind: kind.to_owned(),
        count,
        example: example.map(str::to_owned),
    }
}
