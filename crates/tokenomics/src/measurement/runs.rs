//! From plans to records: the same for every kind of request.

use super::again::AskAgain;
use super::company::Company;
use super::enough::{Enough, Onlooker};
use super::interruption::Interruption;
use super::plan::{PlannedRun, point_name};
use super::recount::recount;
use crate::config::{Point, Until};
use crate::failure::Failure;
use crate::output::{Progress, Recorder, say};
use load::{Client, HeaderMap, RunSpan, Scraper, Target, TcpConnector, TlsOptions, Watch};
use stats::PointSummary;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;
use trace::{AskedAgain, Pacing, Plan, PointInfo, RunFacts, RunId};
use workload::PromptTokenizer;

/// The most connections that a point wants at once.
pub(crate) fn connections(points: &[Point]) -> u64 {
    let wanted = points.iter().map(|point| match point.info.pacing {
        Pacing::Burst { size } => u64::from(size),
        Pacing::Closed { concurrency } => u64::from(concurrency),
        Pacing::Open {
            max_concurrency, ..
        } => max_concurrency.map_or(64, u64::from),
    });
    wanted.max().unwrap_or(0)
}

/// How the runs ended.
pub(crate) enum End {
    /// All of them were run, or nothing succeeded.
    Whole,
    /// The user stopped them.
    Interrupted,
    /// The server takes no connections any more.
    Lost(Failure),
}

/// What happens between runs.
#[derive(Default)]
pub(crate) struct Between<'a> {
    /// A text to ask for twice after the last run of each point.
    pub(crate) again: Option<AskAgain>,
    /// What ends the runs of a point early: that it is precise, or has had its time.
    pub(crate) until: Option<&'a Until>,
    /// The server whose own numbers are looked at during measured runs.
    pub(crate) server: Option<OwnNumbers<'a>>,
    /// Where the requests go, to tell the server's work from that of others where it runs on this machine.
    pub(crate) target: Option<&'a Target>,
    /// What ends a measured run before its plan.
    pub(crate) enough: Option<Arc<dyn Enough>>,
    /// The model's tokenizer, by which answers are counted again.
    pub(crate) tokenizer: Option<&'a dyn PromptTokenizer>,
}

/// Where a server's own numbers are, and how it is asked for them.
#[derive(Clone, Copy)]
pub(crate) struct OwnNumbers<'a> {
    pub(crate) target: &'a Target,
    pub(crate) tls: &'a TlsOptions,
    pub(crate) headers: &'a HeaderMap,
}

/// Whether a point needs no further run, or has no time for another one like the last.
fn is_over(until: &Until, recorder: &Recorder, point: u32) -> bool {
    recorder.with(|header, facts, records| {
        let of_point = |facts: &&RunFacts| facts.run.point == point && !facts.run.warmup;
        let spans = facts.iter().filter(of_point);
        let spans: Vec<u64> = spans.map(|facts| facts.end.0 - facts.start.0).collect();
        let spent = spans.iter().sum::<u64>() + spans.last().copied().unwrap_or(0);
        let summary = stats::summarize(header, facts, records);
        let precise = |point: &PointSummary| {
            let mut asked = until.precision.iter();
            asked.all(|precision| precision.of(point).precise)
        };
        spent > until.budget.0 || summary.points.last().is_some_and(precise)
    })
}

/// Runs the plans in order.
pub(crate) async fn run_all(
    client: &Client<TcpConnector>,
    url: &str,
    planned: Vec<PlannedRun>,
    recorder: &Recorder,
    progress: &Progress,
    interruption: &Interruption,
    between: &Between<'_>,
) -> Result<End, Failure> {
    let mut server = between.server;
    let mut next_id = 0;
    let mut runs = planned.into_iter().peekable();
    while let Some(PlannedRun { run, plan }) = runs.next() {
        progress.begin(
            &recorder.with(|header, _, _| describe(&header.points[run.point as usize], run)),
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
        let released = released(
            client,
            (run, &plan),
            next_id,
            recorder,
            interruption,
            between,
            &mut server,
        );
        let (span, mut facts) = released.await?;
        next_id = span.next_id;
        let hopeless = !run.warmup
            && recorder
                .with(|_, _, records| records.iter().all(|record| !record.outcome.is_complete()));
        let undisturbed = !(run.warmup || span.interrupted || span.lost || hopeless);
        let is_final = runs.peek().is_none_or(|next| next.run.point != run.point);
        if let Some(again) = between.again.as_ref().filter(|_| is_final && undisturbed) {
            facts.asked_again = ask_again(again, &plan, interruption.stop.clone()).await;
        }
        recorder.facts(facts);
        progress.end_run();
        let precise = |until: &Until| undisturbed && is_over(until, recorder, run.point);
        if between.until.is_some_and(precise) {
            while runs.next_if(|next| next.run.point == run.point).is_some() {
                progress.skip_run();
            }
        }
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
        if hopeless {
            say("Nothing succeeded so far; the rest is not run.");
            break;
        }
    }
    Ok(End::Whole)
}

/// Runs one plan, with an eye on the client, on the server's own numbers, which are looked at no more where it has none, and
/// on what else this machine does.
async fn released(
    client: &Client<TcpConnector>,
    (run, plan): (RunId, &Plan),
    first_id: u64,
    recorder: &Recorder,
    interruption: &Interruption,
    between: &Between<'_>,
    server: &mut Option<OwnNumbers<'_>>,
) -> Result<(RunSpan, RunFacts), Failure> {
    let measured = !run.warmup;
    let scraper = server
        .filter(|_| measured)
        .and_then(|own| Scraper::start(own.target, own.tls, own.headers));
    *server = server.filter(|_| scraper.is_some() || !measured);
    let neighbours = between.target.and_then(Company::look);
    let watch = Watch::start();
    let user = &interruption.stop;
    let onlooker = between.enough.clone().filter(|_| measured);
    let onlooker = onlooker.map(|enough| Onlooker::start(enough, recorder, user.clone()));
    let onlooker = onlooker.transpose()?;
    let stop = onlooker.as_ref().map_or(user, |onlooker| &onlooker.stop);
    let span = client.run(plan, run, first_id, stop.clone()).await;
    let mut span = span.map_err(Failure::failed)?;
    if onlooker.is_some_and(Onlooker::finish) {
        // What was on its way then was not waited for, and is nobody's failure.
        span.planned = recorder.forget_cancelled(run);
        span.interrupted = false;
    }
    let mut instrument = watch.finish(std::mem::take(&mut span.pacer_late));
    instrument.beside = neighbours.and_then(|company| company.since(instrument.watched?));
    let counts = between.tokenizer;
    let facts = RunFacts {
        interrupted: span.interrupted,
        instrument,
        server: scraper.map(Scraper::finish).unwrap_or_default(),
        turns_cut: span.turns_cut,
        recounted: counts.and_then(|tokenizer| recount(tokenizer, &span.answers)),
        reuse_ended: span.reuse_ended,
        ..RunFacts::new(
            run,
            span.start,
            span.end,
            span.planned,
            client.stamp_source(),
        )
    };
    Ok((span, facts))
}

/// Says what went wrong and goes on: a comparison that is missing spoils no number.
async fn ask_again(
    again: &AskAgain,
    plan: &Plan,
    mut stop: watch::Receiver<bool>,
) -> Option<AskedAgain> {
    let asked = tokio::select! {
        asked = again.ask(plan) => asked,
        _ = stop.wait_for(|&stopped| stopped) => Ok(None),
    };
    asked.unwrap_or_else(|why| {
        say(&format!(
            "No vector was compared with a second one of its text: {why}."
        ));
        None
    })
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
fn describe(point: &PointInfo, run: RunId) -> String {
    let kind = if run.warmup { "warm-up" } else { "run" };
    format!("{} · {kind} {}", point_name(point), run.run + 1)
}
