//! `tokenomics calibrate` and `chat --certify`: the client against a provider that knows what it sent.

use crate::args::{CalibrateArgs, CertificateFormat, OutputFormat, RecordsFormat, SessionArgs};
use crate::config::{
    Config, Fields, GenerationConfig, Load, Point, Question, RequestConfig, ServerChoice,
    ServerConfig, Task, TrafficConfig, list,
};
use crate::failure::{Exit, Failure};
use crate::measurement::{Interruption, Measured, Planned, Session};
use crate::output::{self, OutputConfig, say};
use ::load::{Deadlines, Target, TlsOptions};
use mock::TruthRecord;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use openai::Endpoint;
use serde_json::Value;
use stats::{Certificate, CertificateGrade, InstrumentError, PointSummary, TruthPair};
use std::collections::HashMap;
use std::fs::DirBuilder;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use trace::{Event, Record, Stop};
use workload::{ChatSource, Content, Traffic};

/// What the known provider sends, and how often.
#[derive(Clone, Copy, Debug)]
struct Shape {
    streams: u32,
    ttft_ms: f64,
    gap_ms: f64,
    tokens: u32,
    requests: u32,
}

/// Certifies every number of streams, and prints what came out.
pub(crate) fn calibrate(args: &CalibrateArgs) -> Result<Exit, Failure> {
    let mut certificates = Vec::new();
    for streams in list("--streams", &args.streams)? {
        let shape = Shape {
            streams,
            ttft_ms: args.ttft_ms,
            gap_ms: args.gap_ms,
            tokens: args.tokens,
            requests: args.requests.unwrap_or(32.max(4 * streams)),
        };
        certificates.push(certificate(shape)?);
    }
    let file = args.output.as_deref();
    let text: String = match (args.output_format, &certificates[..]) {
        (CertificateFormat::Json, [only]) => report::certificate_json(only),
        (CertificateFormat::Json, all) => {
            let all: Vec<String> = all.iter().map(report::certificate_json).collect();
            format!("[{}]\n", all.join(","))
        }
        (CertificateFormat::Text, all) => {
            let style = output::style_for(file);
            let shown = all.iter().map(|one| report::certificate_text(one, style));
            shown.collect()
        }
    };
    output::deliver(&text, file)?;
    let useless = |one: &Certificate| one.grade == CertificateGrade::Useless;
    Ok(if certificates.iter().any(useless) {
        Exit::Invalid
    } else {
        Exit::Done
    })
}

/// The certificate of a run: `tokenomics calibrate` in a process of its own, as the run was, with as many
/// streams and events as its busiest point had.
pub(crate) fn certify(points: &[PointSummary]) -> Result<Option<Certificate>, Failure> {
    let Some(shape) = points
        .iter()
        .filter_map(Shape::of)
        .max_by_key(|shape| shape.streams)
    else {
        return Ok(None);
    };
    say(&format!(
        "Certifying: {} streams of a known provider, {} tokens every {:.1} ms.",
        shape.streams, shape.tokens, shape.gap_ms
    ));
    let ran = Command::new(own()?)
        .args(["calibrate", "--output-format", "json"])
        .arg(format!("--streams={}", shape.streams))
        .arg(format!("--ttft-ms={}", shape.ttft_ms))
        .arg(format!("--gap-ms={}", shape.gap_ms))
        .arg(format!("--tokens={}", shape.tokens))
        .arg(format!("--requests={}", shape.requests))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::failed(format!("cannot start the calibration: {error}")))?;
    serde_json::from_slice(&ran.stdout).map(Some).map_err(|_| {
        let said = String::from_utf8_lossy(&ran.stderr);
        let said = said.lines().last().unwrap_or("it said nothing");
        let said = said.trim_start_matches("error: ");
        Failure::failed(format!("the calibration failed: {said}"))
    })
}

impl Shape {
    /// That of a point of streams: its concurrency, its median latencies, and as many tokens as it takes
    /// to look at gaps for a while.
    fn of(point: &PointSummary) -> Option<Self> {
        /// Longer ones say nothing new.
        const TTFT_MS_MAX: f64 = 500.0;
        const GAP_MS: std::ops::RangeInclusive<f64> = 0.2..=100.0;
        const TOKENS_MAX: f64 = 128.0;
        let metric = |name: &str| {
            let metric: stats::Metric = name.parse().ok()?;
            metric.of(point).map(|measured| measured.value)
        };
        let gap = metric("chunk_gap.p50").or_else(|| metric("tpot.p50"))?;
        let tokens = point
            .tokens
            .output_per_request
            .as_ref()
            .map_or(64.0, |tokens| tokens.mean);
        let streams = point.concurrency.peak.max(1);
        Some(Self {
            streams,
            ttft_ms: metric("ttft.p50")?.min(TTFT_MS_MAX),
            gap_ms: gap.clamp(*GAP_MS.start(), *GAP_MS.end()),
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to a small positive number"
            )]
            tokens: tokens.clamp(2.0, TOKENS_MAX) as u32,
            requests: 32.max(4 * streams),
        })
    }
}

fn own() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::failed(format!("cannot find this program itself: {error}")))
}

/// Starts the provider, measures it, and compares.
fn certificate(shape: Shape) -> Result<Certificate, Failure> {
    let provider = Provider::start(shape)?;
    let config = provider.config(shape)?;
    let planned = Planned::of(&config.task, config.load.clone(), config.seed)?;
    let interruption = Interruption::new();
    let session = Session::open(&config, &config.server, &interruption)?;
    let measured = session.run(planned, None)?.whole()?;
    let measured = measured.ok_or_else(|| Failure::failed("the calibration was interrupted"))?;
    // Its connections are closed before it ends, so that nobody waits for it.
    drop(session);
    let truths = provider.stop()?;
    Ok(compared(shape, &measured, &truths))
}

/// Chats of as many tokens, and nothing special about them.
fn task(shape: Shape) -> Result<GenerationConfig, Failure> {
    let source = ChatSource::Content(Content::Math);
    let tokens = Some(shape.tokens);
    let traffic = Traffic::simple(0, source, None, tokens).map_err(Failure::usage)?;
    Ok(GenerationConfig {
        endpoint: Endpoint::ChatCompletions,
        traffic: TrafficConfig {
            traffic: traffic.into(),
            classes: Vec::new(),
            replay: None,
            dataset: "math".to_owned(),
            scenario: None,
            sessions: SessionArgs::default(),
            variants: Value::Null,
            tokenizer: None,
        },
        request: RequestConfig {
            max_tokens: tokens,
            temperature: None,
            choices: 1,
            ignore_eos: false,
            stream: true,
            fields: Fields::new(),
            patch: Fields::new(),
        },
    })
}

/// A mock in a process of its own; it ends when this is dropped.
struct Provider {
    child: Child,
    /// Base URL.
    url: String,
    truth: PathBuf,
}

impl Provider {
    fn start(shape: Shape) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::failed(format!("cannot start the known provider: {error}"))
        };
        // A folder of our own, which nobody else may have made or may look into.
        let name = format!("tokenomics-{}-{}", std::process::id(), shape.streams);
        let folder = std::env::temp_dir().join(name);
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|error| failed(&format!("cannot make {}: {error}", folder.display())))?;
        let truth = folder.join("truth.jsonl");
        let child = Command::new(own()?)
            .arg("mock")
            .arg("--port=0")
            .arg(format!("--ttft-ms={}", shape.ttft_ms))
            .arg(format!("--itl-ms={}", shape.gap_ms))
            .arg(format!("--tokens={}", shape.tokens))
            .arg("--truth")
            .arg(&truth)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error))?;
        let mut provider = Self {
            child,
            url: String::new(),
            truth,
        };
        // Its first line says where it listens, and comes when it does.
        let mut said = String::new();
        if let Some(errors) = provider.child.stderr.take() {
            let read = BufReader::new(errors).read_line(&mut said);
            read.map_err(|error| failed(&error))?;
        }
        let url = said
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        let url = url.ok_or_else(|| failed(&said.trim()))?;
        url.trim_end_matches(';').clone_into(&mut provider.url);
        Ok(provider)
    }

    /// How it is measured: as `chat` would with nothing but its address, the streams and their length. No key of the
    /// environment goes anywhere.
    fn config(&self, shape: Shape) -> Result<Config, Failure> {
        let seconds = Duration::from_secs;
        let streams = Point::closed(
            shape.streams,
            Some(shape.requests as usize),
            Stop::AllRequests,
        );
        Ok(Config {
            server: ServerConfig {
                choice: ServerChoice {
                    target: Some(Target::parse(&self.url).map_err(Failure::failed)?),
                    built_in: None,
                    implied: false,
                    route: None,
                },
                launch: None,
                model: None,
                api_key: None,
                headers: Vec::new(),
                tls: TlsOptions::default(),
            },
            task: Task::Generation(Box::new(task(shape)?)),
            load: Load {
                points: vec![streams],
                runs: 1,
                until: None,
                warmup_runs: 1,
            },
            seed: 0,
            deadlines: Deadlines {
                connect: seconds(10),
                first_token: seconds(600),
                stall: seconds(120),
                total: seconds(600),
            },
            keep_alive: true,
            slo: None,
            objectives: String::new(),
            question: Question::Numbers,
            certify: false,
            server_metrics: true,
            output: OutputConfig {
                results_file: None,
                records: RecordsFormat::None,
                plot: false,
                format: OutputFormat::Quiet,
                file: None,
                assertions: Vec::new(),
                exports: Vec::new(),
            },
            dry_run: false,
            description: None,
        })
    }

    /// Ends it well, so that it writes down the rest, and reads what it sent.
    fn stop(mut self) -> Result<HashMap<String, TruthRecord>, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::failed(format!("cannot read what the known provider sent: {error}"))
        };
        self.end();
        let log = std::fs::read(&self.truth).map_err(|error| failed(&error))?;
        let truths = mock::read_truth(log.as_slice()).map_err(|error| failed(&error))?;
        let by_id = truths
            .into_iter()
            .map(|truth| (truth.request_id.clone(), truth));
        Ok(by_id.collect())
    }

    fn end(&mut self) {
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _gone = kill(Pid::from_raw(id), Signal::SIGINT);
        }
        let _ended = self.child.wait();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.end();
        }
        let folder = self.truth.parent().unwrap_or(Path::new("."));
        let _gone = std::fs::remove_file(&self.truth);
        let _gone = std::fs::remove_dir(folder);
    }
}

/// Reported against true values, in milliseconds.
#[derive(Default)]
struct Pairs {
    ttft: Vec<TruthPair>,
    gaps: Vec<TruthPair>,
    e2e: Vec<TruthPair>,
    compared: u64,
    lost: u64,
    /// The first request of all and the last token of all: by the provider, and as reported.
    truth: Span,
    reported: Span,
}

/// From the first moment to the last, in nanoseconds.
#[derive(Clone, Copy, Default)]
struct Span(Option<(u64, u64)>);

impl Span {
    fn add(&mut self, begin: u64, end: u64) {
        let (first, last) = self.0.unwrap_or((begin, end));
        self.0 = Some((first.min(begin), last.max(end)));
    }

    fn seconds(self) -> Option<f64> {
        let (first, last) = self.0?;
        (last > first).then(|| (last - first) as f64 / 1e9)
    }
}

fn compared(
    shape: Shape,
    measured: &Measured,
    truths: &HashMap<String, TruthRecord>,
) -> Certificate {
    let pairs = measured.recorder.with(|header, _, records| {
        let mut pairs = Pairs::default();
        for record in records.iter().filter(|record| !record.run.warmup) {
            let id = trace::request_id(header.invocation, record.id);
            let known = truths.get(&id).and_then(|truth| pairs.add(record, truth));
            match known {
                Some(()) => pairs.compared += 1,
                None => pairs.lost += 1,
            }
        }
        pairs
    });
    let tokens = (pairs.gaps.len() + pairs.ttft.len()) as f64;
    let rate = |span: Span| span.seconds().map(|seconds| tokens / seconds);
    let (truth, reported) = (rate(pairs.truth), rate(pairs.reported));
    Certificate {
        streams: shape.streams,
        events_per_second: truth.unwrap_or(0.0),
        requests: pairs.compared + pairs.lost,
        lost: pairs.lost,
        ttft: InstrumentError::of(&pairs.ttft),
        gap: InstrumentError::of(&pairs.gaps),
        e2e: InstrumentError::of(&pairs.e2e),
        rate_error: reported
            .zip(truth)
            .map(|(reported, truth)| reported / truth - 1.0),
        grade: CertificateGrade::Useless,
    }
    .graded()
}

impl Pairs {
    /// `None` where the answer is not the one that was sent.
    fn add(&mut self, record: &Record, truth: &TruthRecord) -> Option<()> {
        let tokens = record.events.iter().filter(|event| event.kind.is_token());
        let tokens: Vec<&Event> = tokens.collect();
        if !record.outcome.is_complete() || tokens.len() != truth.writes.len() {
            return None;
        }
        let (first, last) = (tokens.first()?, tokens.last()?);
        let (&sent_first, &sent_last) = (truth.writes.first()?, truth.writes.last()?);
        let ms = |later: u64, earlier: u64| (i128::from(later) - i128::from(earlier)) as f64 / 1e6;
        let pair = |reported: f64, truth: f64| TruthPair { reported, truth };
        let issued = record.issued.0;
        let ttft = pair(ms(first.arrived.0, issued), ms(sent_first, truth.received));
        let e2e = pair(ms(last.arrived.0, issued), ms(sent_last, truth.received));
        self.ttft.push(ttft);
        self.e2e.push(e2e);
        let gaps = tokens.windows(2).zip(truth.writes.windows(2));
        self.gaps.extend(gaps.map(|(events, writes)| {
            let reported = ms(events[1].arrived.0, events[0].arrived.0);
            pair(reported, ms(writes[1], writes[0]))
        }));
        self.truth.add(truth.received, sent_last);
        self.reported.add(issued, last.arrived.0);
        Some(())
    }
}
