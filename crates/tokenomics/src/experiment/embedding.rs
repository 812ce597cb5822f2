//! `tokenomics embedding`.

use crate::args::{EmbeddingArgs, OutputFormat};
use crate::builtin::BuiltIn;
use crate::config::{EmbeddingConfig, Point, secrets};
use crate::experiment::again::AskAgain;
use crate::experiment::interruption::Interruption;
use crate::experiment::metadata::embedding_metadata;
use crate::experiment::plans::{PlannedRun, embedding_hash, embedding_plans};
use crate::experiment::runs::{Between, conclude, connections, point_name, run_all, summary};
use crate::experiment::server::{Asked, Server, complete_words};
use crate::failure::{Exit, Failure};
use crate::launching::{self, Launched};
use crate::output::{self, Paths, Progress, Recorder, Sink};
use load::{Client, ClientOptions, Clock, TcpConnector, Template};
use openai::{PoolingOptions, PoolingTemplate};
use trace::{Plan, Record, RunHeader, SCHEMA_VERSION};
use workload::PromptSource;

/// Measures an embedding server, from the arguments to the exit code.
pub(crate) fn embedding(mut args: EmbeddingArgs) -> Result<Exit, Failure> {
    let launched = launch(&mut args)?;
    let config = EmbeddingConfig::resolve(args, &|name| std::env::var(name).ok())?;
    let planned = embedding_plans(&config)?;
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
fn launch(args: &mut EmbeddingArgs) -> Result<Option<Launched>, Failure> {
    let Some(line) = &args.launch else {
        return Ok(None);
    };
    let launched = launching::start(line, args.dry_run)?;
    args.api_base = Some(launched.target.url());
    args.model.get_or_insert_with(|| launched.model.clone());
    Ok(Some(launched))
}

async fn measure(
    config: &EmbeddingConfig,
    planned: Vec<PlannedRun>,
    interruption: Interruption,
) -> Result<Exit, Failure> {
    let sides = if config.server.target.is_none() { 2 } else { 1 };
    load::allow_connections(connections(&config.load.points), sides).map_err(Failure::failed)?;
    let mut server = Server::find(&Asked {
        choice: &config.server,
        route: config.task.path(),
        model: config.model.as_deref(),
        api_key: config.api_key.as_ref(),
        headers: &config.headers,
        tls: &config.tls,
        connect: config.deadlines.connect,
        stream: false,
        built_in: BuiltIn::start_encoder,
    })
    .await?;
    let moment = jiff::Zoned::now();
    let paths = Paths::new(
        config.output.results_file.as_deref(),
        "embedding",
        &server.model,
        &moment.strftime("%Y%m%d-%H%M%S").to_string(),
    );
    let _claim = paths.claim(&config.output)?;
    let quiet = config.output.format == OutputFormat::Quiet;
    if !quiet {
        server.announce(&config.server, config.task.path());
    }
    let invocation = u64::try_from(moment.timestamp().as_microsecond()).unwrap_or_default();
    let timestamp = moment.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    let header = RunHeader {
        schema_version: SCHEMA_VERSION,
        invocation,
        metadata: embedding_metadata(config, &server, &embedding_hash(&planned), &timestamp),
        points: config
            .load
            .points
            .iter()
            .map(|point| point.info.clone())
            .collect(),
        slo: None,
        classes: Vec::new(),
        asked: None,
    };
    let sink = Sink::open(config.output.records, &paths, &header)?;
    let recorder = Recorder::new(header, sink)?;
    let built_in = server.built_in.take();
    let url = server.target.url();
    let again = ask_again(config, &server)?;
    let target = server.target.clone();
    let client = client(config, server, invocation, recorder.clone())?;
    let progress = Progress::new(planned.len() as u64, quiet);
    let end = run_all(
        &client,
        &url,
        planned,
        &recorder,
        &progress,
        interruption,
        &Between {
            again: Some(&again),
            until: None,
            server: None,
            target: Some(&target),
            tokenizer: None,
        },
    )
    .await?;
    drop((client, built_in));
    progress.finish();
    let summary = summary(&config.output, &recorder);
    conclude(&config.output, &paths, &recorder, &summary, end)
}

fn template(config: &EmbeddingConfig, server: &Server) -> PoolingTemplate {
    PoolingTemplate::new(&PoolingOptions {
        task: config.task,
        model: server.model.clone(),
        encoding: config.encoding,
        dimensions: config.dimensions,
        extra_body: config.extra_body.clone(),
    })
}

/// On connections of its own: those of the runs stay as the runs left them.
fn ask_again(config: &EmbeddingConfig, server: &Server) -> Result<AskAgain, Failure> {
    let connect = config.deadlines.connect;
    let connector = TcpConnector::probe(&server.target, &config.tls, connect);
    Ok(AskAgain {
        connector: connector.map_err(Failure::failed)?,
        path: format!("{}{}", server.target.base_path, config.task.path()),
        headers: server.headers.clone(),
        template: template(config, server),
        within: config.deadlines.total,
    })
}

fn client(
    config: &EmbeddingConfig,
    server: Server,
    invocation: u64,
    recorder: Recorder,
) -> Result<Client<TcpConnector>, Failure> {
    let template = template(config, &server);
    let options = ClientOptions {
        path: format!("{}{}", server.target.base_path, config.task.path()),
        headers: server.headers,
        invocation,
        template: Template::Pooling(template),
        prompts: None,
        answers_kept: 0,
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

fn dry_run(config: &EmbeddingConfig, planned: &[PlannedRun]) -> Result<Exit, Failure> {
    let server = config.server.words(config.task.path());
    let model = config.server.model_words(config.model.as_deref());
    let mut lines = vec![
        format!("Server:    {server}"),
        format!("Model:     {model}"),
        format!("Texts:     {}", config.texts.words()),
        format!("Vectors:   as {}", config.encoding.name()),
        format!("Warm-up:   {} runs of each point", config.load.warmup_runs),
    ];
    let sources = config.sources.iter();
    for (number, (point, source)) in (0..).zip(config.load.points.iter().zip(sources)) {
        let mut runs = planned.iter().filter(|planned| planned.run.point == number);
        if let Some(measured) = runs.find(|planned| !planned.run.warmup) {
            lines.push(measure_line(config, point, &measured.plan, source)?);
        }
    }
    lines.push(format!("Workload:  sha256 {}", embedding_hash(planned)));
    lines.push("Nothing was sent.\n".to_owned());
    output::print(&lines.join("\n"))?;
    Ok(Exit::Done)
}

fn measure_line(
    config: &EmbeddingConfig,
    point: &Point,
    plan: &Plan,
    source: &PromptSource,
) -> Result<String, Failure> {
    Ok(format!(
        "Measure:   {}, {} runs of {}",
        point_name(&point.info),
        config.load.runs,
        workload::describe(&[plan], source).map_err(Failure::usage)?
    ))
}
