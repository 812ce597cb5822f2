use crate::admission::Admission;
use crate::app::{App, Serial};
use crate::codec::TextCodec;
use crate::config::ServeConfig;
use crate::engine_thread::{Command, EngineThread};
use crate::error::ServeError;
use crate::http::{bind, listen};
use crate::metrics::Metrics;
use crate::prepare::Capacity;
use engine::{Engine, Gauges, Model, SchedulerConfig};
use models::LoadedModel;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

/// Time for error events, and for last bytes, to leave.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves a loaded model on threads of its own.
pub fn spawn(config: ServeConfig, model: LoadedModel) -> Result<ServeHandle, ServeError> {
    let (model, codec) = TextCodec::of(model);
    spawn_model(config, model, codec)
}

/// Serves any model whose texts `codec` knows.
pub fn spawn_model<M: Model + Send + 'static>(
    config: ServeConfig,
    model: M,
    codec: TextCodec,
) -> Result<ServeHandle, ServeError> {
    check(&config, &model)?;
    let listen_error = |source| ServeError::Listen {
        address: config.address,
        source,
    };
    let socket = bind(config.address).map_err(listen_error)?;
    let address = socket.local_addr().map_err(listen_error)?;
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
    let app = Arc::new(App {
        model_name: config.model_name,
        api_key: config.api_key,
        created: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
        capacity,
        codec,
        commands: commands.clone(),
        admission: Arc::clone(&admission),
        metrics,
        pieces_max: config.pieces_waiting_max.max(1),
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
    let engine_thread = Builder::new()
        .name("engine".to_owned())
        .spawn(move || {
            engine_thread.run();
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
    Ok(ServeHandle {
        address,
        drain: config.drain,
        admission,
        commands,
        closing,
        threads: Mutex::new(Some(Threads {
            runtime,
            ending,
            engine_thread,
            engine_ending,
        })),
    })
}

fn check<M: Model>(config: &ServeConfig, model: &M) -> Result<(), ServeError> {
    let scheduler = &config.scheduler;
    for (field, value, least) in [
        ("the model's vocabulary", model.vocab_size(), 1),
        ("blocks", scheduler.blocks, 1),
        ("sequences_max", scheduler.sequences_max, 1),
        ("step_tokens_max", scheduler.step_tokens_max, 1),
        ("context_tokens", scheduler.context_tokens, 2),
    ] {
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

/// A server that runs; it stops when this is dropped.
pub struct ServeHandle {
    address: SocketAddr,
    drain: Duration,
    admission: Arc<Admission>,
    commands: Sender<Command>,
    closing: watch::Sender<bool>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    runtime: Runtime,
    /// Says when the last connection has ended.
    ending: Receiver<()>,
    engine_thread: JoinHandle<()>,
    /// Says when the engine thread has ended.
    engine_ending: Receiver<()>,
}

impl ServeHandle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What the engine last said of itself: after each step, and after each request that came or
    /// went.
    pub fn gauges(&self) -> Gauges {
        self.admission.gauges()
    }

    /// Answers that have not come to their end: clients that wait, queued requests included.
    pub fn answers(&self) -> usize {
        self.admission.answers()
    }

    /// Stops gently, and returns when all is stopped: readiness is 503 and new requests are refused
    /// from now on, those that are in may end within [`ServeConfig::drain`], and the rest gets an
    /// error event. Returns how many did not end in time.
    pub fn shutdown(&self) -> usize {
        self.admission.drain();
        let rest = self.admission.wait(self.drain);
        if rest > 0 {
            let _ = self.commands.send(Command::CutAll);
            self.admission.wait(FAREWELL);
        }
        self.stop(FAREWELL);
        rest
    }

    /// Ends all threads; connections have `time` to end by themselves.
    fn stop(&self, time: Duration) {
        let threads = self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(threads) = threads else {
            return;
        };
        self.admission.drain();
        self.closing.send_replace(true);
        let _ = threads.ending.recv_timeout(time);
        let _ = self.commands.send(Command::Stop);
        if Handle::try_current().is_ok() {
            // A runtime must not wait for another one.
            threads.runtime.shutdown_background();
        } else {
            threads.runtime.shutdown_timeout(FAREWELL);
        }
        // A model that hangs in a step is left behind: nobody can end it but the process.
        if threads.engine_ending.recv_timeout(FAREWELL) != Err(RecvTimeoutError::Timeout) {
            let _ = threads.engine_thread.join();
        }
    }
}

impl Drop for ServeHandle {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}
