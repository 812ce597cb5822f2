//! `tokenomics chat`.

use crate::args::{ChatArgs, OutputFormat};
use crate::builtin::BuiltIn;
use crate::config::ChatConfig;
use crate::experiment::interruption::Interruption;
use crate::experiment::metadata::metadata;
use crate::experiment::plans::{PlannedRun, plans};
use crate::experiment::server::Server;
use crate::failure::{Exit, Failure};
use crate::launching::{self, Launched};
use crate::output::{self, Paths, Progress, Recorder, Sink, say};
use load::{Client, ClientOptions, Clock, TcpConnector, Template, Watch};
use openai::{RequestOptions, RequestTemplate};
use stats::{Grade, Summary};
use std::sync::atomic::Ordering;
use trace::{Pacing, Plan, Record, RunFacts, RunHeader, RunId, SCHEMA_VERSION};

/// Measures a chat server, from the arguments to the exit code.
pub(crate) fn chat(mut args: ChatArgs) -> Result<Exit, Failure> {
    let launched = launch(&mut args)?;
    let config = ChatConfig::resolve(args, &|name| std::env::var(name).ok())?;
    let planned = plans(&config)?;
    if config.dry_run {
        return dry_run(&config, &planned);
    }
    let interruption = Interruption::listen()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start the runtime: {error}")))?;
    let tasks = tokio::task::LocalSet::new();
    let measured = runtime.block_on(tasks.run_until(measure(&config, planned, interruption)));
    match launched.and_then(|launched| launched.failure()) {
        Some(failure) => Err(failure),
        None => measured,
    }
}

/// Starts the server that `--launch` asks for, and measures that one.
fn launch(args: &mut ChatArgs) -> Result<Option<Launched>, Failure> {
    let Some(line) = &args.launch else {
        return Ok(None);
    };
    let asked = launching::of_line(line)?;
    if args.dry_run || asked.dry_run {
        return Err(Failure::usage(
            "--dry-run starts nothing; `tokenomics launch … --dry-run` shows what --launch would start",
        ));
    }
    let launched = launching::start(&asked)?;
    args.api_base = Some(launched.target.url());
    args.model.get_or_insert_with(|| launched.model.clone());
    Ok(Some(launched))
}

async fn measure(
    config: &ChatConfig,
    planned: Vec<PlannedRun>,
    interruption: Interruption,
) -> Result<Exit, Failure> {
    load::allow_connections(
        connections(config),
        if config.target.is_none() { 2 } else { 1 },
    )
    .map_err(Failure::failed)?;
    if config.load.is_open() {
        let most = planned.iter().map(|planned| planned.plan.requests.len());
        load::allow_as_many_as(most.max().unwrap_or(0) as u64);
    }
    let mut server = Server::find(config).await?;
    let moment = jiff::Zoned::now();
    let timestamp = moment.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    let paths = Paths::new(
        config.output.results_file.as_deref(),
        "chat",
        &server.model,
        &moment.strftime("%Y%m%d-%H%M%S").to_string(),
    );
    paths.check(&config.output)?;
    let quiet = config.output.format == OutputFormat::Quiet;
    if server.built_in.is_some() && !quiet {
        say(&format!(
            "No --api-base given: measuring {} at {}.",
            BuiltIn::WORDS,
            server.target.url()
        ));
    }
    // Differs between invocations; microseconds since 1970 fit for the next half million years.
    let invocation = u64::try_from(moment.timestamp().as_microsecond()).unwrap_or_default();
    let header = RunHeader {
        schema_version: SCHEMA_VERSION,
        invocation,
        metadata: metadata(config, &server, &planned, &timestamp),
        points: config
            .load
            .points
            .iter()
            .map(|point| point.info.clone())
            .collect(),
        slo: config.slo,
    };
    let sink = Sink::open(config.output.records, &paths, &header)?;
    let recorder = Recorder::new(header, sink)?;
    let built_in = server.built_in.take();
    let url = server.target.url();
    let client = client(config, server, invocation, recorder.clone())?;
    let progress = Progress::new(planned.len() as u64, quiet);
    let end = run_all(&client, &url, planned, &recorder, &progress, interruption).await?;
    drop((client, built_in));
    progress.finish();
    let summary = recorder.with(stats::summarize);
    conclude(config, &paths, &recorder, &summary, end)
}

/// The most connections that a point wants at once.
fn connections(config: &ChatConfig) -> u64 {
    let wanted = config
        .load
        .points
        .iter()
        .map(|point| match point.info.pacing {
            Pacing::Burst { size } => u64::from(size),
            Pacing::Closed { concurrency } => u64::from(concurrency),
            Pacing::Open {
                max_concurrency, ..
            } => max_concurrency.map_or(64, u64::from),
        });
    wanted.max().unwrap_or(0)
}

fn client(
    config: &ChatConfig,
    server: Server,
    invocation: u64,
    recorder: Recorder,
) -> Result<Client<TcpConnector>, Failure> {
    let request = &config.request;
    let template = RequestTemplate::new(&RequestOptions {
        endpoint: config.endpoint,
        model: server.model,
        stream: request.stream,
        temperature: request.temperature,
        n: request.choices,
        ignore_eos: request.ignore_eos,
        seed: None,
        extra_body: request.extra_body.clone(),
    });
    let options = ClientOptions {
        path: format!("{}{}", server.target.base_path, config.endpoint.path()),
        headers: server.headers,
        invocation,
        template: Template::Generation(template),
        deadlines: config.deadlines,
        clock: Clock::Monotonic,
    };
    let secrets = config.secrets();
    let on_record = Box::new(move |mut record: Record| {
        // A server may repeat the key that it refuses.
        record.detail = record.detail.map(|words| secrets.redact(&words));
        recorder.record(record);
    });
    Client::new(server.connector, options, on_record).map_err(Failure::failed)
}

/// How the runs ended.
enum End {
    /// All of them were run, or nothing succeeded.
    Whole,
    /// The user stopped them.
    Interrupted,
    /// The server takes no connections any more.
    Lost(Failure),
}

/// Runs the plans in order.
async fn run_all(
    client: &Client<TcpConnector>,
    url: &str,
    planned: Vec<PlannedRun>,
    recorder: &Recorder,
    progress: &Progress,
    interruption: Interruption,
) -> Result<End, Failure> {
    let mut next_id = 0;
    let mut runs = planned.into_iter().peekable();
    while let Some(PlannedRun { run, plan }) = runs.next() {
        progress.begin(
            &recorder.with(|header, _, _| describe(header.points[run.point as usize].pacing, run)),
        );
        if let Err(why) = client.prepare(idle_connections(&plan)).await {
            let lost = format!("cannot open a connection to {url}: {why}");
            if next_id == 0 {
                return Err(Failure::failed(lost));
            }
            let kept = format!("{lost}; what was measured before is kept");
            return Ok(End::Lost(Failure::failed(kept)));
        }
        interruption.measuring.store(true, Ordering::Relaxed);
        let watch = Watch::start();
        let span = client
            .run(&plan, run, next_id, interruption.stop.clone())
            .await
            .map_err(Failure::failed)?;
        next_id += span.planned.max(plan.requests.len() as u64);
        recorder.facts(RunFacts {
            run,
            start: span.start,
            end: span.end,
            planned: span.planned,
            interrupted: span.interrupted,
            stamps: client.stamp_source(),
            instrument: watch.finish(span.pacer_late),
        });
        progress.end_run();
        let point_is_over = runs.peek().is_none_or(|next| next.run.point != run.point);
        if point_is_over || span.interrupted || span.lost {
            show_point(recorder, progress, run);
        }
        if span.interrupted {
            return Ok(End::Interrupted);
        }
        if span.lost {
            let lost = format!("{url} takes no connections any more; what was measured is kept");
            return Ok(End::Lost(Failure::failed(lost)));
        }
        let hopeless = !run.warmup
            && recorder
                .with(|_, _, records| records.iter().all(|record| !record.outcome.is_complete()));
        if hopeless {
            say("Nothing succeeded so far; the rest is not run.");
            break;
        }
    }
    Ok(End::Whole)
}

/// How many connections are opened ahead of a run.
fn idle_connections(plan: &Plan) -> usize {
    let wanted = match plan.pacing {
        Pacing::Burst { size } => size,
        Pacing::Closed { concurrency } => concurrency,
        Pacing::Open { .. } => 1,
    };
    (wanted as usize).min(plan.requests.len())
}

/// The line of the point that `run` belongs to, which is the last one measured so far.
fn show_point(recorder: &Recorder, progress: &Progress, run: RunId) {
    let summary = recorder.with(stats::summarize);
    if let Some(point) = summary.points.last().filter(|_| !run.warmup) {
        progress.end_point(point);
    }
}

/// A run in a few words, for the progress bar.
fn describe(pacing: Pacing, run: RunId) -> String {
    let kind = if run.warmup { "warm-up" } else { "run" };
    format!("{} · {kind} {}", point_name(pacing), run.run + 1)
}

fn point_name(pacing: Pacing) -> String {
    match pacing {
        Pacing::Burst { size } => format!("batch {size}"),
        Pacing::Closed { concurrency } => format!("concurrency {concurrency}"),
        Pacing::Open { arrival, .. } => format!("{} requests/s", arrival.rate()),
    }
}

/// Writes what is left to write, prints the summary, and judges.
fn conclude(
    config: &ChatConfig,
    paths: &Paths,
    recorder: &Recorder,
    summary: &Summary,
    end: End,
) -> Result<Exit, Failure> {
    output::print_summary(summary, config.output.format, config.output.file.as_deref())?;
    let written = output::save(&config.output, paths, recorder, summary)?;
    if config.output.format != OutputFormat::Quiet {
        say(&format!("Written: {}", written.join(" · ")));
    }
    match (end, summary.verdict.grade) {
        (End::Lost(failure), _) => Err(failure),
        (End::Interrupted, _) => Ok(Exit::Interrupted),
        (End::Whole, Grade::Invalid) => Ok(Exit::Invalid),
        (End::Whole, Grade::Valid | Grade::Suspect) => Ok(Exit::Done),
    }
}

fn dry_run(config: &ChatConfig, planned: &[PlannedRun]) -> Result<Exit, Failure> {
    let server = match &config.target {
        Some(target) => format!("{}{}", target.url(), config.endpoint.path()),
        None => BuiltIn::WORDS.to_owned(),
    };
    let request = &config.request;
    let model = config.model.as_deref().unwrap_or("the first one it lists");
    let kind = if request.stream { "streamed" } else { "whole" };
    let mut lines = vec![
        format!("Server:    {server}"),
        format!("Model:     {model}"),
        format!("Prompts:   {}", config.dataset),
        format!(
            "Responses: {kind}, at most {} tokens, n = {}",
            request.max_tokens, request.choices
        ),
        format!("Warm-up:   {} runs of each point", config.load.warmup_runs),
    ];
    for (number, point) in (0..).zip(&config.load.points) {
        let mut runs = planned.iter().filter(|planned| planned.run.point == number);
        if let Some(measured) = runs.find(|planned| !planned.run.warmup) {
            lines.push(format!(
                "Measure:   {}, {} runs of {}",
                point_name(point.info.pacing),
                config.load.runs,
                workload::describe(&[&measured.plan])
            ));
        }
    }
    let plans: Vec<&Plan> = planned.iter().map(|planned| &planned.plan).collect();
    let hash = workload::workload_hash(&plans);
    lines.push(format!("Workload:  sha256 {hash}"));
    lines.push("Nothing was sent.\n".to_owned());
    output::print(&lines.join("\n"))?;
    Ok(Exit::Done)
}
