//! A server that was found, and measurements of it.

use super::enough::Enough;
use super::interruption::Interruption;
use super::metadata::metadata;
use super::plan::Planned;
use super::recount::ANSWERS;
use super::runs::{Between, End, OwnNumbers, connections, run_all};
use super::server::{Server, complete_words};
use crate::config::{Config, ServerConfig, secrets};
use crate::failure::Failure;
use crate::launching::Launched;
use crate::output::{Paths, Progress, Recorder, Sink};
use load::{Client, ClientOptions, Clock, TcpConnector};
use stats::Summary;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use trace::{Record, RunHeader, SCHEMA_VERSION, Subject};

/// What a load showed.
pub(crate) struct Measured {
    pub(crate) summary: Summary,
    pub(crate) end: End,
    pub(crate) recorder: Recorder,
}

impl Measured {
    /// What was measured to its end; `None` where the user stopped it.
    ///
    /// # Errors
    /// The server takes no connections any more.
    pub(crate) fn whole(self) -> Result<Option<Self>, Failure> {
        match self.end {
            End::Whole => Ok(Some(self)),
            End::Interrupted => Ok(None),
            End::Lost(failure) => Err(failure),
        }
    }
}

/// A server, found once: everything that is asked of it is measured by the same client.
pub(crate) struct Session<'a> {
    config: &'a Config,
    asked: &'a ServerConfig,
    server: Server,
    /// The server, where it was started for this; it stops with the session.
    launched: Option<Launched>,
    interruption: &'a Interruption,
    runtime: Runtime,
}

impl<'a> Session<'a> {
    /// Starts the server where that is asked for, or finds the one that there is.
    pub(crate) fn open(
        config: &'a Config,
        asked: &'a ServerConfig,
        interruption: &'a Interruption,
    ) -> Result<Self, Failure> {
        if interruption.is_stopped() {
            return Err(Failure::interrupted("stopped before the server was asked"));
        }
        interruption.listen()?;
        let launched = match &asked.launch {
            None => None,
            Some(launch) => {
                let launched = launch.start(|| {})?;
                // While it started it was its own.
                interruption.listen()?;
                Some(launched)
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("cannot start the runtime: {error}")))?;
        let found = Server::find(config, asked);
        let server = runtime.block_on(LocalSet::new().run_until(found));
        Ok(Self {
            config,
            asked,
            server: server?,
            launched,
            interruption,
            runtime,
        })
    }

    /// The model's name in the API.
    pub(crate) fn model(&self) -> &str {
        &self.server.model
    }

    /// As files are named after it.
    pub(crate) fn verb(&self) -> &'static str {
        self.config.task.kind().verb()
    }

    /// Says which server is measured, where that is not the one that was typed.
    pub(crate) fn announce(&self) {
        let path = self.config.task.kind().path();
        self.server.announce(&self.asked.choice, path);
    }

    /// Measures one load; the records go to files as they come where there are `paths`.
    ///
    /// # Errors
    /// The server takes no connections, or has ended; a file cannot be written.
    pub(crate) fn run(&self, planned: Planned, paths: Option<&Paths>) -> Result<Measured, Failure> {
        self.run_with(planned, paths, None)
    }

    /// Measures one load, which leaves no files, until there is `enough`.
    ///
    /// # Errors
    /// The server takes no connections, or has ended.
    pub(crate) fn run_until(
        &self,
        planned: Planned,
        enough: Arc<dyn Enough>,
    ) -> Result<Measured, Failure> {
        self.run_with(planned, None, Some(enough))
    }

    fn run_with(
        &self,
        planned: Planned,
        paths: Option<&Paths>,
        enough: Option<Arc<dyn Enough>>,
    ) -> Result<Measured, Failure> {
        let sides = if self.server.built_in.is_some() { 2 } else { 1 };
        load::allow_connections(connections(&planned.load.points), sides)
            .map_err(Failure::failed)?;
        if planned.load.is_open() {
            let most = planned.runs.iter().map(|run| run.plan.requests.len());
            load::allow_as_many_as(most.max().unwrap_or(0) as u64);
        }
        let tasks = LocalSet::new();
        let measured = self
            .runtime
            .block_on(tasks.run_until(self.measure(planned, paths, enough)));
        // Whatever it looks like from here, that is why; what was measured is kept.
        match self.launched.as_ref().and_then(Launched::failure) {
            None => measured,
            Some(failure) => match measured {
                Ok(measured) => Ok(Measured {
                    end: End::Lost(failure),
                    ..measured
                }),
                Err(_) => Err(failure),
            },
        }
    }

    async fn measure(
        &self,
        mut planned: Planned,
        paths: Option<&Paths>,
        enough: Option<Arc<dyn Enough>>,
    ) -> Result<Measured, Failure> {
        let header = self.header(&planned)?;
        let invocation = header.invocation;
        let sink = match paths {
            Some(paths) => Sink::open(self.config.output.records, paths, &header)?,
            None => Sink::None,
        };
        let recorder = Recorder::new(header, sink)?;
        let client = self.client(&planned, invocation, recorder.clone())?;
        let quiet = paths.is_none() || self.config.output.is_quiet();
        let runs = std::mem::take(&mut planned.runs);
        let progress = Progress::new(runs.len() as u64, quiet);
        let between = Between {
            enough,
            ..self.between(&planned)
        };
        let end = run_all(
            &client,
            &self.server.target.url(),
            runs,
            &recorder,
            &progress,
            self.interruption,
            &between,
        )
        .await?;
        drop(client);
        progress.finish();
        let mut summary = recorder.with(stats::summarize);
        summary.assert(&self.config.output.assertions);
        if let Some(until) = &planned.load.until {
            summary.tell_precision(&until.precision);
        }
        Ok(Measured {
            summary,
            end,
            recorder,
        })
    }

    fn header(&self, planned: &Planned) -> Result<RunHeader, Failure> {
        let moment = jiff::Zoned::now();
        let timestamp = moment.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string();
        let kind = self.config.task.kind();
        let sha256 = planned.sha256()?;
        let points = planned.load.points.iter().map(|point| point.info.clone());
        Ok(RunHeader {
            schema_version: SCHEMA_VERSION,
            // Differs between measurements; microseconds since 1970 fit for the next half million years.
            invocation: u64::try_from(moment.timestamp().as_microsecond()).unwrap_or_default(),
            metadata: metadata(self.config, &self.server, planned, &sha256, &timestamp),
            points: points.collect(),
            slo: self.config.slo,
            classes: kind.classes().to_vec(),
            asked: kind.asked(&self.server.model),
            subject: Some(Subject {
                model: Some(self.server.model.clone()),
                endpoint: Some(kind.path().to_owned()),
                workload_sha256: Some(sha256),
                built_in: self.server.built_in.is_some(),
                pooling: kind.pools(),
                shares_prompts: kind.shares_prompts(),
                template_tokens: kind.template_tokens(),
            }),
        })
    }

    fn client(
        &self,
        planned: &Planned,
        invocation: u64,
        recorder: Recorder,
    ) -> Result<Client<TcpConnector>, Failure> {
        let (server, kind) = (&self.server, self.config.task.kind());
        let options = ClientOptions {
            path: format!("{}{}", server.target.base_path, kind.path()),
            headers: server.headers.clone(),
            invocation,
            template: kind.template(&server.model),
            prompts: kind.prompts(&planned.sources),
            answers_kept: kind.tokenizer().map_or(0, |_| ANSWERS),
            deadlines: self.config.deadlines,
            clock: Clock::Monotonic,
            keep_alive: self.config.keep_alive,
        };
        let secrets = secrets(self.asked.api_key.as_ref(), &self.asked.headers);
        let deadlines = self.config.deadlines;
        let on_record = Box::new(move |mut record: Record| {
            complete_words(&mut record, &secrets, &deadlines);
            recorder.record(record);
        });
        Client::new(server.connector.clone(), options, on_record).map_err(Failure::failed)
    }

    fn between<'b>(&'b self, planned: &'b Planned) -> Between<'b> {
        let (server, kind) = (&self.server, self.config.task.kind());
        let own = OwnNumbers {
            target: &server.target,
            tls: &self.asked.tls,
            headers: &server.plain_headers,
        };
        Between {
            again: kind.again(server, self.config.deadlines.total),
            until: planned.load.until.as_ref(),
            server: self.config.server_metrics.then_some(own),
            target: Some(&server.target),
            enough: None,
            tokenizer: kind.tokenizer(),
        }
    }
}
