//! Whether a measurement can be believed, and why not.
//!
//! The rules are in six files, by who is to blame: [`load`] (what was asked was not offered), [`client`] (the instrument
//! was in the way), [`response`] (what came back says less than it seems), [`answers`] (what came back is not what was
//! asked for), [`judged`] (single answers that do not fit what was asked or what they say of themselves), [`lumps`]
//! (tokens came several at once). Every limit is a constant there, with its reason.
//!
//! What the instrument may have done is judged by its consequence ([`bound`]): how far the numbers that it touches can
//! be off.

mod answers;
mod bound;
mod client;
mod consequence;
mod judged;
mod load;
mod lumps;
mod response;

use crate::PointSummary;
use crate::answers::AnswerTally;
use crate::disturbed::Undisturbed;
use crate::drift::Drift;
use crate::judge::FaultTally;
use crate::latency::GapShape;
use crate::run::RunMetrics;
use serde::{Deserialize, Serialize};
use trace::RunFacts;

pub use bound::Bound;
pub(crate) use consequence::Lateness;

/// Whether a measurement can be believed, and why not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The worst of the reasons' grades; valid where there is none.
    pub grade: Grade,
    /// Each a whole sentence with the value and the limit.
    pub reasons: Vec<Reason>,
    /// What was looked into because something was unusual, and changes the numbers by too little to speak
    /// against them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Reason>,
}

/// From best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Nothing speaks against it.
    Valid,
    /// Read it with the reasons beside it.
    Suspect,
    /// Do not use it.
    Invalid,
}

/// One thing that speaks against a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// How much it matters.
    pub grade: Grade,
    /// A stable name for scripts: `load_not_delivered`.
    pub code: String,
    /// The point's key, where it concerns one point.
    pub point: Option<String>,
    /// For a person.
    pub sentence: String,
    /// How far the numbers that it touches can be off; empty where nobody can tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<Bound>,
}

impl Reason {
    /// One that says nothing of how far numbers can be off.
    pub fn new(grade: Grade, code: &str, point: Option<&str>, sentence: impl Into<String>) -> Self {
        Self {
            grade,
            code: code.to_owned(),
            point: point.map(str::to_owned),
            sentence: sentence.into(),
            bounds: Vec::new(),
        }
    }
}

impl Verdict {
    /// The verdict that `reasons` come to; the worst stand first, and those that are valid are facts.
    pub fn of(mut reasons: Vec<Reason>) -> Self {
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.grade));
        let facts = reasons.partition_point(|reason| reason.grade > Grade::Valid);
        let facts = reasons.split_off(facts);
        Self {
            grade: reasons.first().map_or(Grade::Valid, |worst| worst.grade),
            reasons,
            facts,
        }
    }

    /// Its reasons and facts, to be judged anew with others.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Reason> {
        self.reasons.iter().chain(&self.facts)
    }
}

/// What one point is judged by.
pub(crate) struct Evidence<'a> {
    /// Its numbers; their own verdict is not looked at.
    pub(crate) summary: &'a PointSummary,
    /// The same of each run that has records.
    pub(crate) measured: &'a [RunMetrics],
    /// Of the runs that left some.
    pub(crate) facts: &'a [&'a RunFacts],
    /// The gaps between token events.
    pub(crate) gaps: GapShape,
    /// Absent where no run was long enough to tell.
    pub(crate) drift: Option<Drift>,
    /// Whether answers came as they were asked for.
    pub(crate) answers: AnswerTally,
    /// What single answers have wrong with them.
    pub(crate) faults: &'a FaultTally,
    /// The names of models that requests ask for.
    pub(crate) models_asked: &'a [String],
    /// Tokens that the model's chat template adds to every prompt, where a tokenizer tells.
    pub(crate) template_tokens: Option<u64>,
    /// The server is the built-in one, whose random models have a token for each byte.
    pub(crate) built_in: bool,
    /// Requests that found no file descriptor or local port left.
    pub(crate) exhausted: u64,
    /// Prompts have beginnings that the server is meant to know.
    pub(crate) shares_prompts: bool,
    /// From the beginning of a request, or from its connection, to its last byte: how late it was sent.
    pub(crate) sending: Option<Lateness>,
    /// The latencies of requests outside of disturbed seconds.
    pub(crate) undisturbed: Undisturbed,
}

/// What a rule has found, if anything: a reason's grade, code and sentence.
type Finding = Option<(Grade, &'static str, String)>;

/// What a rule has found that says how far numbers can be off.
struct Doubt {
    grade: Grade,
    code: &'static str,
    sentence: String,
    bounds: Vec<Bound>,
}

impl From<(Grade, &'static str, String)> for Doubt {
    fn from((grade, code, sentence): (Grade, &'static str, String)) -> Self {
        Self {
            grade,
            code,
            sentence,
            bounds: Vec::new(),
        }
    }
}

impl Evidence<'_> {
    /// Applies every rule.
    pub(crate) fn judge(&self) -> Verdict {
        let findings = [
            self.judge_responses(),
            self.judge_answers(),
            self.judge_faults(),
        ];
        let findings = findings.into_iter().flatten().map(Doubt::from);
        let doubts = findings
            .chain(self.judge_lumps())
            .chain(self.judge_load())
            .chain(self.judge_client());
        let reasons = doubts.map(|doubt| Reason {
            grade: doubt.grade,
            code: doubt.code.to_owned(),
            point: Some(self.summary.point.key.clone()),
            sentence: doubt.sentence,
            bounds: doubt.bounds,
        });
        Verdict::of(reasons.collect())
    }
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "it is the last expression of rules that may find nothing"
)]
fn invalid(code: &'static str, sentence: String) -> Finding {
    Some((Grade::Invalid, code, sentence))
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "it is the last expression of rules that may find nothing"
)]
fn suspect(code: &'static str, sentence: String) -> Finding {
    Some((Grade::Suspect, code, sentence))
}

/// A share as people read it.
fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
