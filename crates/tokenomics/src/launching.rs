//! `tokenomics launch`, and `--launch` of `chat` and `embedding`: a known server, started, known to answer, and stopped.

use crate::args::LaunchArgs;
use crate::asking::{Asking, outcome_in_words};
use crate::child::{Probe, Watched};
use crate::config::{LaunchConfig, Secrets};
use crate::failure::{Exit, Failure};
use crate::interrupt::on_interrupt;
use crate::output::say;
use load::{Deadlines, HeaderMap, Target, TcpConnector, TlsOptions};
use openai::{PooledReply, PoolingOptions, PoolingTask, PoolingTemplate, VectorEncoding};
use std::sync::mpsc::channel;
use std::time::Duration;
use tokio::sync::oneshot;

/// A server that was started and has answered. It stops when this is dropped.
pub(crate) struct Launched {
    child: Watched,
    pub(crate) target: Target,
    /// The name that requests give.
    pub(crate) model: String,
}

impl Launched {
    /// Why it can no longer be measured: its process has ended.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.child.failure()
    }
}

/// Starts it, and stops it with ctrl-C.
pub(crate) fn launch(args: &LaunchArgs) -> Result<Exit, Failure> {
    let launch = LaunchConfig::resolve(args)?;
    if args.dry_run {
        crate::output::print(&format!("{}\n", launch.spec.command_line()))?;
        return Ok(Exit::Done);
    }
    // Whoever comes first: the user, or the end of the child.
    let (ending, ended) = channel();
    let child_ending = ending.clone();
    let launched = launch.start(move || {
        // Nobody waits for it while it starts.
        let _heard = child_ending.send(());
    })?;
    on_interrupt(move || ending.send(()).is_ok())?;
    say(&format!(
        "{} answers at {}; ctrl-C stops it.",
        launched.model,
        launched.target.url()
    ));
    let _first = ended.recv();
    if let Some(failure) = launched.failure() {
        return Err(failure);
    }
    say("Stopping it.");
    Ok(Exit::Done)
}

impl LaunchConfig {
    /// Starts it, and waits until it answers; `on_end` is called when its process ends.
    pub(crate) fn start(
        &self,
        on_end: impl FnOnce() + Send + 'static,
    ) -> Result<Launched, Failure> {
        if let Some(folder) = self.log.parent() {
            std::fs::create_dir_all(folder).map_err(|error| {
                Failure::failed(format!("cannot make {}: {error}", folder.display()))
            })?;
        }
        say(&format!(
            "Starting {}; its log is {}",
            self.spec.command_line(),
            self.log.display()
        ));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("cannot start the runtime: {error}")))?;
        // From before it starts, so that no ctrl-C leaves it to its guard without a word.
        let (interrupt, interrupted) = oneshot::channel();
        on_interrupt(move || interrupt.send(()).is_ok())?;
        let port = (self.port, "--port");
        let child = Watched::start(
            &self.spec,
            port,
            process::Log::New(&self.log),
            Secrets::of([]),
            on_end,
        )?;
        let tasks = tokio::task::LocalSet::new();
        let waited = runtime.block_on(tasks.run_until(async {
            let ready = child.wait_until_ready(self.timeout, async || self.ask().await);
            tokio::select! {
                ready = ready => Some(ready),
                _ = interrupted => None,
            }
        }));
        let Some(ready) = waited else {
            let seconds = self.spec.grace.as_secs();
            say(&format!(
                "Stopping {}, which may take {seconds} s; ctrl-C again leaves that to its guard.",
                self.spec.name
            ));
            drop(child);
            return Err(Failure::interrupted("stopped before it answered"));
        };
        ready?;
        // From here on it is for others to say; until they do, the guard sees to it.
        on_interrupt(|| false)?;
        Ok(Launched {
            child,
            target: self.target.clone(),
            model: self.model.clone(),
        })
    }

    /// It lists the model, and answers one request: a chat, or a text to embed.
    async fn ask(&self) -> Probe {
        let seconds = Duration::from_secs;
        let Ok(connector) = TcpConnector::probe(&self.target, &TlsOptions::default(), seconds(2))
        else {
            return Probe::Silent;
        };
        let Ok(headers) = load::request_headers(&self.target, false, None, &[]) else {
            return Probe::Silent;
        };
        let path = format!("{}/models", self.target.base_path);
        let models = match load::get(&connector, &path, headers.clone(), seconds(10)).await {
            Ok(answer) if answer.status == 200 => openai::model_ids(&answer.body),
            Ok(answer) => return Probe::Wrong(format!("status {} to {path}", answer.status)),
            Err(_) => return Probe::Silent,
        };
        if !models.contains(&self.model) {
            let models = models.join(", ");
            return Probe::Wrong(format!(
                "that it has the models {models}, and not {}",
                self.model
            ));
        }
        let deadlines = Deadlines {
            connect: seconds(2),
            first_token: seconds(120),
            stall: seconds(120),
            total: seconds(120),
        };
        let asking = Asking {
            target: &self.target,
            connector,
            headers: headers.clone(),
            model: &self.model,
            stream: false,
            deadlines,
            keep_alive: true,
            invocation: 0,
        };
        match asking.once().await {
            Ok(record) if record.outcome.is_complete() => Probe::Ready,
            Ok(_) if self.embeds(headers).await => Probe::Ready,
            Ok(record) => Probe::Wrong(outcome_in_words(&record)),
            Err(_) => Probe::Silent,
        }
    }
}

impl LaunchConfig {
    /// Whether it has a vector for a text: what is no chat server may be one for embeddings.
    async fn embeds(&self, headers: HeaderMap) -> bool {
        let connect = Duration::from_secs(2);
        let Ok(connector) = TcpConnector::probe(&self.target, &TlsOptions::default(), connect)
        else {
            return false;
        };
        let path = format!("{}/embeddings", self.target.base_path);
        let template = PoolingTemplate::new(&PoolingOptions {
            task: PoolingTask::Embed,
            model: self.model.clone(),
            encoding: VectorEncoding::Float,
            dimensions: None,
            extra_body: serde_json::Map::new(),
        });
        let body = template.render(None, std::iter::once("hi"));
        let within = Duration::from_mins(2);
        let answer = load::post(&connector, &path, headers, &body, within).await;
        answer.is_ok_and(|answer| {
            answer.status == 200 && PooledReply::parse(&answer.body, PoolingTask::Embed, 1).is_ok()
        })
    }
}
