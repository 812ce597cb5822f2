//! `tokenomics chat`.

use crate::args::{ChatArgs, OutputFormat};
use crate::builtin::BuiltIn;
use crate::config::{ChatConfig, Secret, secrets};
use crate::experiment::asked::asked_of_all;
use crate::experiment::calibrate::certify;
use crate::experiment::capacity::find_capacity;
use crate::experiment::continuous::fixed_vs_continuous;
use crate::experiment::interruption::Interruption;
use crate::experiment::metadata::metadata;
use crate::experiment::plans::{PlannedRun, chat_hash, plans};
use crate::experiment::recount::ANSWERS;
use crate::experiment::runs::{
    Between, End, OwnNumbers, Until, conclude, connections, point_name, run_all, summary,
};
use crate::experiment::server::{Asked, Server, complete_words};
use crate::experiment::versus::versus;
use crate::failure::{Exit, Failure};
use crate::launching::{self, Launched};
use crate::output::{self, Paths, Progress, Recorder, Sink};
use load::{Client, ClientOptions, Clock, HeaderMap, PromptMaker, Target, TcpConnector, Template};
use openai::{RequestOptions, RequestTemplate};
use stats::Summary;
use trace::{Record, RunHeader, SCHEMA_VERSION};
use workload::PromptSource;

/// What was measured, and how the process is to end.
pub(crate) struct Measured {
    pub(crate) summary: Summary,
    pub(crate) exit: Exit,
    pub(crate) recorder: Recorder,
}

/// What becomes of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is printed and leaves files.
    Whole,
    /// It leaves files; what is printed is somebody else's.
    Half,
    /// It leaves nothing but what it returns.
    Part,
}

/// Measures a chat server, from the arguments to the exit code.
pub(crate) fn chat(mut args: ChatArgs) -> Result<Exit, Failure> {
    let launched = launch(&mut args)?;
    let exit = if args.fixed_vs_continuous {
        fixed_vs_continuous(&args)
    } else if args.capacity.find_capacity {
        find_capacity(&args)
    } else if let Some(other) = &args.versus {
        versus(&args, other)
    } else {
        measure_once(args, Role::Whole).map(|measured| measured.map_or(Exit::Done, |run| run.exit))
    };
    match launched.and_then(|launched| launched.failure()) {
        Some(failure) => Err(failure),
        None => exit,
    }
}

/// One measurement; `None` where it was only shown.
pub(crate) fn measure_once(args: ChatArgs, role: Role) -> Result<Option<Measured>, Failure> {
    let mut config = ChatConfig::resolve(args, &|name| std::env::var(name).ok())?;
    config.output.prints = role == Role::Whole;
    config.output.keeps = role != Role::Part;
    // Who is a part is certified with the whole, or not at all.
    config.certify &= role != Role::Part;
    let planned = plans(&config)?;
    if config.dry_run {
        return dry_run(&config, &planned).map(|_| None);
    }
    let interruption = Interruption::listen()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start the runtime: {error}")))?;
    let tasks = tokio::task::LocalSet::new();
    let measured = runtime.block_on(tasks.run_until(measure(&config, planned, interruption)));
    measured.map(Some)
}

/// Starts the server that `--launch` asks for, and measures that one.
fn launch(args: &mut ChatArgs) -> Result<Option<Launched>, Failure> {
    let Some(line) = &args.launch else {
        return Ok(None);
    };
    let launched = launching::start(line, args.dry_run)?;
    args.api_base = Some(launched.target.url());
    args.model.get_or_insert_with(|| launched.model.clone());
    Ok(Some(launched))
}

async fn measure(
    config: &ChatConfig,
    planned: Vec<PlannedRun>,
    interruption: Interruption,
) -> Result<Measured, Failure> {
    load::allow_connections(
        connections(&config.load.points),
        if config.server.target.is_none() { 2 } else { 1 },
    )
    .map_err(Failure::failed)?;
    if config.load.is_open() {
        let most = planned.iter().map(|planned| planned.plan.requests.len());
        load::allow_as_many_as(most.max().unwrap_or(0) as u64);
    }
    let mut server = Server::find(&asked(config)).await?;
    let workload = chat_hash(config, &planned)?;
    let moment = jiff::Zoned::now();
    let timestamp = moment.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    let paths = Paths::new(
        config.output.results_file.as_deref(),
        "chat",
        &server.model,
        &moment.strftime("%Y%m%d-%H%M%S").to_string(),
    );
    let _claim = if config.output.keeps {
        paths.claim(&config.output)?
    } else {
        None
    };
    let quiet = config.output.format == OutputFormat::Quiet || !config.output.keeps;
    if !quiet {
        server.announce(&config.server, config.endpoint.path());
    }
    // Differs between invocations; microseconds since 1970 fit for the next half million years.
    let invocation = u64::try_from(moment.timestamp().as_microsecond()).unwrap_or_default();
    let header = RunHeader {
        schema_version: SCHEMA_VERSION,
        invocation,
        metadata: metadata(config, &server, &workload, &timestamp),
        points: config
            .load
            .points
            .iter()
            .map(|point| point.info.clone())
            .collect(),
        slo: config.slo,
        classes: config.traffic.classes.clone(),
        asked: Some(asked_of_all(config, &server.model)),
    };
    let sink = if config.output.keeps {
        Sink::open(config.output.records, &paths, &header)?
    } else {
        Sink::None
    };
    let recorder = Recorder::new(header, sink)?;
    let built_in = server.built_in.take();
    let (url, target) = (server.target.url(), server.target.clone());
    let headers = metrics_headers(config, &target)?;
    let client = client(config, server, invocation, recorder.clone())?;
    let progress = Progress::new(planned.len() as u64, quiet);
    let end = run_all(
        &client,
        &url,
        planned,
        &recorder,
        &progress,
        interruption,
        &between(config, &target, &headers),
    )
    .await?;
    drop((client, built_in));
    progress.finish();
    let mut summary = summary(&config.output, &recorder);
    if config.certify
        && matches!(end, End::Whole)
        && let Some(certificate) = certify(&summary.points)?
    {
        summary.certify(certificate);
    }
    let exit = conclude(&config.output, &paths, &recorder, &summary, end)?;
    Ok(Measured {
        summary,
        exit,
        recorder,
    })
}

/// As for any request, but for what comes back.
fn metrics_headers(config: &ChatConfig, target: &Target) -> Result<HeaderMap, Failure> {
    let key = config.api_key.as_ref().map(Secret::expose);
    load::request_headers(target, false, key, &config.headers).map_err(Failure::usage)
}

fn between<'a>(config: &'a ChatConfig, target: &'a Target, headers: &'a HeaderMap) -> Between<'a> {
    let until = |budget| Until {
        precision: &config.output.precision,
        budget,
    };
    Between {
        again: None,
        until: config.load.budget.map(until),
        server: config.server_metrics.then_some(OwnNumbers {
            target,
            tls: &config.tls,
            headers,
        }),
        target: Some(target),
        tokenizer: config.traffic.traffic.tokenizer().map(|known| &**known),
    }
}

/// How to reach the server.
fn asked(config: &ChatConfig) -> Asked<'_> {
    Asked {
        choice: &config.server,
        route: config.endpoint.path(),
        model: config.model.as_deref(),
        api_key: config.api_key.as_ref(),
        headers: &config.headers,
        tls: &config.tls,
        connect: config.deadlines.connect,
        stream: config.request.stream,
        built_in: BuiltIn::start,
    }
}

fn client(
    config: &ChatConfig,
    server: Server,
    invocation: u64,
    recorder: Recorder,
) -> Result<Client<TcpConnector>, Failure> {
    let request = &config.request;
    let template = RequestTemplate::with_fields(
        &RequestOptions {
            endpoint: config.endpoint,
            model: server.model,
            stream: request.stream,
            temperature: request.temperature,
            n: request.choices,
            ignore_eos: request.ignore_eos,
            seed: None,
            extra_body: request.patch.clone(),
        },
        request.fields.clone(),
    );
    let options = ClientOptions {
        path: format!("{}{}", server.target.base_path, config.endpoint.path()),
        headers: server.headers,
        invocation,
        template: Template::Generation(template),
        prompts: Some(maker(config)),
        answers_kept: match config.traffic.traffic.tokenizer() {
            Some(_) => ANSWERS,
            None => 0,
        },
        deadlines: config.deadlines,
        clock: Clock::Monotonic,
        keep_alive: config.keep_alive,
    };
    let secrets = secrets(config.api_key.as_ref(), &config.headers);
    let deadlines = config.deadlines;
    let on_record = Box::new(move |mut record: Record| {
        complete_words(&mut record, &secrets, &deadlines);
        recorder.record(record);
    });
    Client::new(server.connector, options, on_record).map_err(Failure::failed)
}

/// Makes what plans only name, on the client's thread for prompts.
fn maker(config: &ChatConfig) -> PromptMaker {
    let traffic = config.traffic.traffic.clone();
    PromptMaker::new(move |planned| {
        traffic
            .prompt(planned)
            .map_err(|error| error.to_string().trim_end_matches('.').to_owned())
    })
}

fn dry_run(config: &ChatConfig, planned: &[PlannedRun]) -> Result<Exit, Failure> {
    let server = config.server.words(config.endpoint.path());
    let request = &config.request;
    let model = config.server.model_words(config.model.as_deref());
    let kind = if request.stream { "streamed" } else { "whole" };
    let limit = match request.max_tokens {
        Some(limit) if !config.traffic.has_lengths() => format!(", at most {limit} tokens"),
        _ => String::new(),
    };
    let mut lines = vec![
        format!("Server:    {server}"),
        format!("Model:     {model}"),
        format!("Prompts:   {}", config.traffic.words()),
        format!("Responses: {kind}{limit}, n = {}", request.choices),
        format!("Warm-up:   {} runs of each point", config.load.warmup_runs),
    ];
    let source = PromptSource::Chat(config.traffic.traffic.clone());
    for (number, point) in (0..).zip(&config.load.points) {
        let mut runs = planned.iter().filter(|planned| planned.run.point == number);
        if let Some(measured) = runs.find(|planned| !planned.run.warmup) {
            lines.push(format!(
                "Measure:   {}, {} runs of {}",
                point_name(&point.info),
                config.load.runs,
                workload::describe(&[&measured.plan], &source).map_err(Failure::usage)?
            ));
        }
    }
    let hash = chat_hash(config, planned)?;
    lines.push(format!("Workload:  sha256 {hash}"));
    lines.push("Nothing was sent.\n".to_owned());
    output::print(&lines.join("\n"))?;
    Ok(Exit::Done)
}
