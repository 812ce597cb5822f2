//! What the requests of a chat benchmark are.

use super::arrivals::NamedArrival;
use super::classes::{NamedClass, classes};
use super::request::RequestConfig;
use super::variants;
use crate::args::{ChatArgs, SessionArgs, WorkloadArgs};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::input::{memory_left, read};
use crate::output::say;
use crate::records::is_records;
use crate::tokenizer::ClientTokenizer;
use crate::{model, prompts};
use bytes::Bytes;
use openai::Endpoint;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use trace::{Arrival, ClassInfo, Nanos, Prompt};
use workload::{
    ChatSource, LengthScenario, Mix, PromptTokenizer, SessionConfig, ThinkTime, TimeUnit, Trace,
    TraceFormat, TraceReader, Traffic, TrafficClass, TurnCount,
};

/// The traffic, and what the result file says of it.
#[derive(Clone)]
pub(crate) struct TrafficConfig {
    pub(crate) traffic: Arc<Traffic>,
    /// Of a mix.
    pub(crate) classes: Vec<ClassInfo>,
    /// When the requests of a trace arrive.
    pub(crate) replay: Option<NamedArrival>,
    /// Where prompts come from.
    pub(crate) dataset: String,
    /// As it was typed.
    pub(crate) scenario: Option<String>,
    pub(crate) sessions: SessionArgs,
    /// For the result file: what requests have otherwise than each other.
    pub(crate) variants: Value,
    /// Its name, and the tokens that the chat template adds to an empty message.
    pub(crate) tokenizer: Option<(String, Option<usize>)>,
}

impl TrafficConfig {
    pub(crate) fn resolve(
        args: &ChatArgs,
        request: &RequestConfig,
        endpoint: Endpoint,
        built_in: Option<&str>,
        environment: Environment<'_>,
    ) -> Result<Self, Failure> {
        let typed = &args.workload;
        let counter = tokenizer(typed, built_in, endpoint, environment)?;
        let (classes, mix, dataset, replay) = match (&typed.mix, &typed.trace) {
            (Some(typed_mix), _) => {
                let mix: Mix = typed_mix.parse().map_err(Failure::usage)?;
                let classes = classes(&mix, &typed.classes, request, environment)?;
                (classes, Some(mix), typed_mix.clone(), None)
            }
            (None, Some(path)) => {
                let trace = recorded(path, typed, args.seed)?;
                let replay = NamedArrival {
                    key: "replay".to_owned(),
                    arrival: Arrival::Replay { rate: trace.rate() },
                    requests: trace.rows.len(),
                };
                let source = ChatSource::Trace(trace.into());
                let words = path.display().to_string();
                (single(source, None, request), None, words, Some(replay))
            }
            (None, None) => {
                let (source, words) = prompts::source(&typed.dataset, environment)?;
                let scenario = typed.scenario.as_deref();
                let lengths = scenario.map(str::parse::<LengthScenario>).transpose();
                let lengths = lengths.map_err(Failure::usage)?;
                (single(source, lengths, request), None, words, None)
            }
        };
        let (infos, classes) = classes
            .into_iter()
            .map(|named| (named.info, named.class))
            .unzip::<_, _, Vec<_>, Vec<_>>();
        let exact = classes.iter().any(TrafficClass::needs_tokenizer);
        let template = match &counter {
            None => None,
            Some((name, counter)) => match counter.prompt_tokens(&Prompt::user("")) {
                Ok(nothing) => Some((name.clone(), Some(nothing))),
                Err(_) if !exact => Some((name.clone(), None)),
                Err(why) => return Err(Failure::usage(format!("--tokenizer {name}: {why}"))),
            },
        };
        let is_mix = mix.is_some();
        let counter = counter.map(|(_, counter)| counter);
        let has_lengths = classes.iter().any(|class| class.lengths.is_some());
        let traffic = Traffic::new(args.seed, classes, mix, counter).map_err(Failure::usage)?;
        if args.sessions.turns.is_none() {
            refuse_messages(&traffic, args, endpoint, has_lengths)?;
        }
        let traffic = in_sessions(traffic, &args.sessions)?
            .with_variants(variants::variants(&args.variants, endpoint)?);
        Ok(Self {
            traffic: traffic.into(),
            classes: if is_mix { infos } else { Vec::new() },
            replay,
            dataset,
            scenario: typed.scenario.clone(),
            sessions: args.sessions.clone(),
            variants: variants::value(&args.variants),
            tokenizer: template,
        })
    }
}

impl TrafficConfig {
    /// In a line, for people.
    pub(crate) fn words(&self) -> String {
        let dataset = &self.dataset;
        let lengths = match &self.scenario {
            Some(scenario) => format!(", of {scenario} tokens"),
            None => String::new(),
        };
        let counted = match &self.tokenizer {
            Some((name, template)) if self.has_lengths() => match template {
                None | Some(0) => format!(" by the tokenizer of {name}"),
                Some(template) => format!(
                    " by the tokenizer of {name}, {template} of them for what every prompt needs"
                ),
            },
            _ => String::new(),
        };
        let sessions = self.session_words();
        format!("{dataset}{lengths}{counted}{sessions}")
    }

    /// `, in conversations of 2-6 turns, behind 8x1024 shared tokens`.
    fn session_words(&self) -> String {
        let args = &self.sessions;
        let turns = args.turns.map(|turns| match turns {
            TurnCount::OfRows => ", in conversations as the rows have them".to_owned(),
            TurnCount::Between { min, max } if min == max => {
                format!(", in conversations of {min} turns")
            }
            TurnCount::Between { min, max } => format!(", in conversations of {min}-{max} turns"),
        });
        let tool = args
            .tool_loop
            .map(|rounds| format!(", with a tool for {rounds} rounds"));
        let shared = args.prefix_groups;
        let shared = shared.map(|groups| format!(", behind {groups} shared tokens"));
        [turns, tool, shared].into_iter().flatten().collect()
    }

    /// Whether requests have something in common by what was typed: a conversation, or a beginning.
    pub(crate) fn shares_prompts(&self) -> bool {
        let args = &self.sessions;
        args.turns.is_some() || args.tool_loop.is_some() || args.prefix_groups.is_some()
    }

    /// For the result file; absent of requests that stand alone.
    pub(crate) fn session_value(&self) -> Value {
        let args = &self.sessions;
        if !self.shares_prompts() {
            return Value::Null;
        }
        json!({
            "turns": args.turns.map(|turns| match turns {
                TurnCount::OfRows => json!("dataset"),
                TurnCount::Between { min, max } => json!([min, max]),
            }),
            "think_time": args.think_time.map(|think| match think {
                ThinkTime::Constant { span } => json!({ "constant_seconds": span.seconds() }),
                ThinkTime::Exponential { mean } => json!({ "exponential_mean_seconds": mean.seconds() }),
                ThinkTime::LogNormal { mean, std } => json!({
                    "lognormal_mean_seconds": mean.seconds(),
                    "lognormal_std_seconds": std.seconds(),
                }),
            }),
            "prefix_groups": args.prefix_groups.map(|groups| groups.to_string()),
            "tool_rounds": args.tool_loop,
        })
    }

    /// Whether prompts of any class have lengths in tokens.
    pub(crate) fn has_lengths(&self) -> bool {
        let mut classes = self.traffic.classes().iter();
        classes.any(TrafficClass::needs_tokenizer)
    }

    /// For the result file.
    pub(crate) fn tokenizer_value(&self) -> Value {
        match &self.tokenizer {
            None => Value::Null,
            Some((name, template)) => json!({ "name": name, "template_tokens": template }),
        }
    }
}

/// Refuses rows that bring messages of their own where they would take the place of what flags ask for, and where
/// another route would ignore them, and answer something else.
fn refuse_messages(
    traffic: &Traffic,
    args: &ChatArgs,
    endpoint: Endpoint,
    has_lengths: bool,
) -> Result<(), Failure> {
    let mut bodies = traffic.bodies();
    if !bodies.any(|body| body.contains_key("messages")) {
        return Ok(());
    }
    let refused = [
        (
            endpoint != Endpoint::ChatCompletions,
            format!("--endpoint {} takes no messages", endpoint.path()),
        ),
        (
            args.sessions.prefix_groups.is_some(),
            "--prefix-groups would change them".to_owned(),
        ),
        (
            args.sessions.tool_loop.is_some(),
            "--tool-loop would change them".to_owned(),
        ),
        (has_lengths, "lengths of prompts are given too".to_owned()),
    ];
    match refused.into_iter().find(|(is_so, _)| *is_so) {
        None => Ok(()),
        Some((_, why)) => Err(Failure::usage(format!(
            "rows of the data set are requests with messages of their own, and {why}; leave that out, or ask the rows' \
             questions one after the other with --turns dataset"
        ))),
    }
}

/// Conversations, shared beginnings and tools.
fn in_sessions(mut traffic: Traffic, args: &SessionArgs) -> Result<Traffic, Failure> {
    if let Some(groups) = args.prefix_groups {
        traffic = traffic.with_prefixes(groups).map_err(Failure::usage)?;
    }
    if let Some(turns) = args.turns {
        let none = ThinkTime::Constant { span: Nanos::ZERO };
        let think = args.think_time.unwrap_or(none);
        traffic = traffic
            .in_sessions(SessionConfig { turns, think })
            .map_err(Failure::usage)?;
    }
    Ok(traffic.with_tool(args.tool_loop.unwrap_or(0)))
}

/// All requests of one kind.
fn single(
    source: ChatSource,
    lengths: Option<LengthScenario>,
    request: &RequestConfig,
) -> Vec<NamedClass> {
    vec![NamedClass {
        info: ClassInfo {
            name: String::new(),
            share: 1.0,
            slo: None,
        },
        class: TrafficClass {
            source,
            system: None,
            lengths,
            max_tokens: request.max_tokens,
        },
    }]
}

type Counter = (String, Arc<dyn PromptTokenizer>);

/// The one that was named, or that of the built-in server, which is there anyway.
fn tokenizer(
    args: &WorkloadArgs,
    built_in: Option<&str>,
    endpoint: Endpoint,
    environment: Environment<'_>,
) -> Result<Option<Counter>, Failure> {
    let Some(name) = args.tokenizer.as_deref().or(built_in) else {
        return Ok(None);
    };
    let text = model::text(name, environment)?;
    let counter = ClientTokenizer::new(text, endpoint);
    Ok(Some((name.to_owned(), Arc::new(counter))))
}

/// Says what a trace was taken for: a wrong unit would show in the span.
fn tell(path: &Path, trace: &Trace, format: TraceFormat, unit: Option<TimeUnit>) {
    let span = trace.rows.last().map_or(0.0, |row| row.due.seconds());
    let left_out = match trace.left_out {
        0 => String::new(),
        rows => format!(", {rows} more left out for want of a prompt or an answer"),
    };
    say(&format!(
        "Trace {}: {} requests over {span} s{left_out}; read as {} with its times {}.",
        path.display(),
        trace.rows.len(),
        format.name(),
        unit.map_or("as dates".to_owned(), |unit| format!("in {}", unit.words()))
    ));
}

/// A trace of others, or the records of an earlier run.
fn recorded(path: &Path, args: &WorkloadArgs, seed: u64) -> Result<Trace, Failure> {
    let in_file = |error| Failure::usage(format!("--trace {}: {error}", path.display()));
    let bytes = read("--trace", path)?;
    let trace = if is_records(&bytes) {
        of_saved(bytes.into())
            .map_err(|why| Failure::usage(format!("--trace {}: {why}", path.display())))?
    } else {
        let reader = TraceReader {
            format: args.trace_format,
            unit: args.trace_time_unit,
            block_tokens: args.trace_block_tokens,
        };
        let (trace, format, unit) = reader.read(&bytes).map_err(in_file)?;
        tell(path, &trace, format, unit);
        trace
    };
    let trace = match &args.trace_window {
        None => trace,
        Some(window) => {
            let (begin, end) = window.split_once(':').ok_or_else(|| {
                Failure::usage(format!(
                    "--trace-window must be two times with a colon between them, got `{window}`; write it like 60s:120s"
                ))
            })?;
            let at = |text| workload::parse_span(text).map_err(Failure::usage);
            trace.window(at(begin)?, at(end)?).map_err(in_file)?
        }
    };
    let share = args.trace_share;
    if share > 1.0 {
        return Err(Failure::usage(format!(
            "--trace-share must be above 0 and at most 1, got `{share}`; --trace-speed sends more per second"
        )));
    }
    let thinned = if share < 1.0 {
        trace.thin(share, seed)
    } else {
        Ok(trace)
    };
    thinned
        .and_then(|trace| trace.scale(args.trace_scale))
        .and_then(|trace| trace.speed(args.trace_speed))
        .map_err(in_file)
}

/// The first measured run of what was saved.
fn of_saved(bytes: Bytes) -> Result<Trace, String> {
    let saved = store::read(bytes, memory_left()).map_err(|error| error.to_string())?;
    let runs = saved.run.records.iter().map(|record| record.run);
    let first = runs.filter(|run| !run.warmup).min();
    let run = first.ok_or("it has no measured run")?;
    Trace::of_records(&saved.run.records, run).map_err(|error| error.to_string())
}
