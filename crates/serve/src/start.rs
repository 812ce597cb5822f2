//! Starts a server.

use crate::admission::Admission;
use crate::app::{App, Serial};
use crate::codec::TextCodec;
use crate::config::ServeConfig;
use crate::encoder_thread::EncoderThread;
use crate::engine_thread::EngineThread;
use crate::error::ServeError;
use crate::handle::{ServeHandle, Threads};
use crate::http::{bind, listen};
use crate::metrics::Metrics;
use crate::order::{Command, Order};
use crate::prepare::Capacity;
use crate::task::{Embedder, Generator, Task};
use engine::{BatchLimits, Encoder, Engine, Gauges, Model, SchedulerConfig, TextQueue};
use models::{Loaded, LoadedModel};
use openai::{EmbeddingLimits, RequestLimits, VectorSizes};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Texts of a request for vectors, at most: as many as `OpenAI` takes.
const TEXTS_MAX: usize = 2048;

/// Serves a loaded model of either kind on threads of its own.
pub fn spawn_loaded(config: ServeConfig, loaded: Loaded) -> Result<ServeHandle, ServeError> {
    match loaded {
        Loaded::Generator(model) => spawn(config, *model),
        Loaded::Encoder(encoder) => {
            let (encoder, codec, sizes) = TextCodec::of_encoder(*encoder);
            spawn_encoder(config, encoder, codec, sizes)
        }
    }
}

/// Serves a loaded model that writes texts.
pub fn spawn(config: ServeConfig, model: LoadedModel) -> Result<ServeHandle, ServeError> {
    let (model, codec) = TextCodec::of(model);
    spawn_model(config, model, codec)
}

/// Serves any model that writes texts, which `codec` knows.
pub fn spawn_model<M: Model + Send + 'static>(
    config: ServeConfig,
    model: M,
    codec: TextCodec,
) -> Result<ServeHandle, ServeError> {
    check(&config, &model)?;
    let scheduler = SchedulerConfig {
        blocks: config.scheduler.blocks.min(model.blocks()),
        context_tokens: config.scheduler.context_tokens.min(model.context_tokens()),
        ..config.scheduler
    };
    let capacity = Capacity::new(model.vocab_size(), &scheduler, config.n_max);
    // The door counts who waits; the engine's own limit is only reached by what the door cannot see.
    let engine = Engine::new(
        model,
        SchedulerConfig {
            queue_max: scheduler.queue_max.saturating_add(scheduler.sequences_max),
            ..scheduler
        },
    );
    let admission = Arc::new(Admission::new(&scheduler, engine.gauges()));
    let codec = Arc::new(codec);
    let metrics = Arc::new(Mutex::new(Metrics::new()));
    let (commands, receiver) = channel();
    let engine_thread = EngineThread::new(
        engine,
        Arc::clone(&codec),
        receiver,
        Arc::clone(&admission),
        Arc::clone(&metrics),
    );
    let orders = commands.clone();
    let parts = Parts {
        limits: capacity.limits,
        task: Task::Generate(Generator {
            capacity,
            commands,
            pieces_max: config.pieces_waiting_max.max(1),
        }),
        codec,
        admission,
        metrics,
        run: Box::new(move || engine_thread.run()),
        // Where the thread is gone, there is nobody to order.
        order: Box::new(move |order| _ = orders.send(Command::Order(order))),
    };
    start(config, parts)
}

/// Serves any encoder of texts, which `codec` knows; `sizes` is what its vectors may be cut to. Of the scheduler's
/// limits, a batch has `sequences_max` texts and `step_tokens_max` tokens.
pub fn spawn_encoder<E: Encoder + Send + 'static>(
    config: ServeConfig,
    encoder: E,
    codec: TextCodec,
    sizes: VectorSizes,
) -> Result<ServeHandle, ServeError> {
    let scheduler = config.scheduler;
    let text_tokens_max = encoder.text_tokens_max().min(scheduler.context_tokens);
    check_encoder(&config, &encoder, text_tokens_max)?;
    let limits = EmbeddingLimits {
        vocab_size: encoder.vocab_size(),
        text_tokens_max,
        texts_max: TEXTS_MAX,
        dimensions: encoder.dimensions(),
        sizes,
    };
    let queue = TextQueue::new(BatchLimits {
        texts_max: scheduler.sequences_max,
        tokens_max: scheduler.step_tokens_max,
    });
    let admission = Arc::new(Admission::new(&scheduler, Gauges::default()));
    let metrics = Arc::new(Mutex::new(Metrics::new()));
    let (commands, receiver) = channel();
    let thread = EncoderThread::new(
        encoder,
        queue,
        receiver,
        Arc::clone(&admission),
        Arc::clone(&metrics),
    );
    let orders = commands.clone();
    let parts = Parts {
        limits: RequestLimits {
            vocab_size: limits.vocab_size,
            context_tokens: text_tokens_max,
            n_max: 1,
        },
        task: Task::Embed(Embedder { limits, commands }),
        codec: Arc::new(codec),
        admission,
        metrics,
        run: Box::new(move || thread.run()),
        order: Box::new(move |order| _ = orders.send(Command::Order(order))),
    };
    start(config, parts)
}

/// What differs between the kinds of models.
struct Parts {
    limits: RequestLimits,
    task: Task,
    codec: Arc<TextCodec>,
    admission: Arc<Admission>,
    metrics: Arc<Mutex<Metrics>>,
    /// The engine thread's life.
    run: Box<dyn FnOnce() + Send>,
    order: Box<dyn Fn(Order) + Send + Sync>,
}

fn start(config: ServeConfig, parts: Parts) -> Result<ServeHandle, ServeError> {
    let listen_error = |source| ServeError::Listen {
        address: config.address,
        source,
    };
    let socket = bind(config.address).map_err(listen_error)?;
    let address = socket.local_addr().map_err(listen_error)?;
    let app = Arc::new(App {
        model_name: config.model_name,
        api_key: config.api_key,
        created: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
        limits: parts.limits,
        task: parts.task,
        codec: parts.codec,
        admission: Arc::clone(&parts.admission),
        metrics: parts.metrics,
        serial: Serial::new(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.http_threads.max(1))
        // Long prompts are tokenised there, one after the other.
        .max_blocking_threads(1)
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(ServeError::Threads)?;
    let (engine_ended, engine_ending) = channel();
    let run = parts.run;
    let engine_thread = Builder::new()
        .name("engine".to_owned())
        .spawn(move || {
            run();
            let _ = engine_ended.send(());
        })
        .map_err(ServeError::Threads)?;
    let (closing, closed) = watch::channel(false);
    let (ended, ending) = channel();
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(socket).map_err(listen_error)?
    };
    let http = config.http;
    runtime.spawn(async move {
        listen(listener, http, app, closed).await;
        // Who does not wait for it has gone already.
        let _ = ended.send(());
    });
    let threads = Threads {
        runtime,
        ending,
        engine_thread,
        engine_ending,
    };
    Ok(ServeHandle::new(
        address,
        config.drain,
        parts.admission,
        parts.order,
        closing,
        threads,
    ))
}

fn check<M: Model>(config: &ServeConfig, model: &M) -> Result<(), ServeError> {
    let scheduler = &config.scheduler;
    at_least(&[
        ("the model's vocabulary", model.vocab_size(), 1),
        ("blocks", scheduler.blocks, 1),
        ("sequences_max", scheduler.sequences_max, 1),
        ("step_tokens_max", scheduler.step_tokens_max, 1),
        ("context_tokens", scheduler.context_tokens, 2),
    ])
}

/// A text is never cut: a batch must have room for the longest.
fn check_encoder<E: Encoder>(
    config: &ServeConfig,
    encoder: &E,
    text_tokens_max: usize,
) -> Result<(), ServeError> {
    let scheduler = &config.scheduler;
    at_least(&[
        ("the model's vocabulary", encoder.vocab_size(), 1),
        ("the model's vectors", encoder.dimensions(), 1),
        ("sequences_max", scheduler.sequences_max, 1),
        ("context_tokens", text_tokens_max, 1),
        (
            "step_tokens_max",
            scheduler.step_tokens_max,
            text_tokens_max,
        ),
    ])
}

fn at_least(values: &[(&'static str, usize, usize)]) -> Result<(), ServeError> {
    for &(field, value, least) in values {
        if value < least {
            return Err(ServeError::Limit {
                field,
                value,
                least,
            });
        }
    }
    Ok(())
}
