//! What an answer is held against, and what is left of it.

use super::counts;
use super::fault::Fault;
use std::borrow::Cow;
use trace::{Asked, EventKind, Outcome, Record, ResponseFacts, RunHeader, ToolUse};

/// What answers are held against.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    asked: Option<&'a Asked>,
}

impl<'a> Judge<'a> {
    /// For the records of an invocation.
    pub fn new(header: &'a RunHeader) -> Self {
        Self {
            asked: header.asked.as_ref(),
        }
    }

    /// The record as numbers may be made of it: without counts that cannot be, and with the outcome that its answer
    /// really had. It is borrowed where there is nothing to change.
    pub fn settle(self, record: &Record) -> Cow<'_, Record> {
        if !record.outcome.is_complete() {
            return Cow::Borrowed(record);
        }
        let mut settled = Cow::Borrowed(record);
        if let Some(usage) = counts::believable(record, self.asked) {
            settled.to_mut().usage = Some(usage.usage);
            if usage.events_lie {
                for event in &mut settled.to_mut().events {
                    event.tokens = None;
                }
            }
        }
        if let Some((outcome, words)) = self.outcome(record) {
            let settled = settled.to_mut();
            settled.outcome = outcome;
            settled.detail = Some(words);
        }
        settled
    }

    /// What an answer that looks whole came to, where that is another outcome.
    fn outcome(self, record: &Record) -> Option<(Outcome, String)> {
        let response = record.response.as_deref()?;
        if let Some(reason) = finish_reasons(record, response).find(|reason| gives_up(reason)) {
            let words = format!("the server ended the answer with the finish_reason `{reason}`");
            return Some((Outcome::Aborted, words));
        }
        let asked = self.asked?.choices;
        // A server that tells of no choice at all speaks another dialect.
        (1..asked).contains(&response.choices).then(|| {
            let words = format!("{} of {asked} choices came", response.choices);
            (Outcome::Truncated, words)
        })
    }

    /// Everything about a complete answer that does not fit. `record` is as it came.
    pub(crate) fn faults(self, record: &Record) -> Vec<Fault> {
        let Some(response) = record.response.as_deref() else {
            return counts::input_faults(record);
        };
        let mut faults = counts::faults(record, self.asked);
        if response.retries.unwrap_or(0) > 0 {
            faults.push(Fault::Retried);
        }
        if response.fallbacks.unwrap_or(0) > 0 {
            faults.push(Fault::FellBack);
        }
        if !response.left_out.is_empty() {
            faults.push(Fault::LeftOut);
        }
        if self.misses_tool(record, response) {
            faults.push(Fault::NoToolCalled);
        }
        faults
    }

    fn misses_tool(self, record: &Record, response: &ResponseFacts) -> bool {
        let called = |kind| kind == EventKind::ToolCall;
        self.expects_tool(record)
            && response.tool_calls == 0
            && !record.events.iter().any(|event| called(event.kind))
    }

    /// Whether every answer is told to call a tool.
    pub(crate) fn requires_tools(self) -> bool {
        self.asked
            .is_some_and(|asked| asked.tools == ToolUse::Required)
    }

    /// Whether the answer has to call a tool.
    pub(crate) fn expects_tool(self, record: &Record) -> bool {
        match self.asked.map(|asked| asked.tools) {
            Some(ToolUse::Required) => true,
            // What comes after a tool's result may be the answer.
            Some(ToolUse::Loop) => record.begins(),
            Some(ToolUse::None | ToolUse::Offered) | None => false,
        }
    }

    /// The names of models that requests ask for.
    pub(crate) fn models(self) -> &'a [String] {
        self.asked.map_or(&[], |asked| &asked.models)
    }
}

/// Why each choice ended, as far as it is said.
pub(crate) fn finish_reasons<'r>(
    record: &'r Record,
    response: &'r ResponseFacts,
) -> impl Iterator<Item = &'r str> {
    let first = record.finish_reason.as_deref();
    let others = response.other_finish_reasons.iter().map(String::as_str);
    first.into_iter().chain(others)
}

/// Whether a finish reason says that the answer was given up. `vLLM` and `SGLang` say `abort`, others `error`, `cancelled`,
/// `insufficient_system_resource` (`DeepSeek`) or `timeout`, in capitals or behind the name of an enum.
pub(crate) fn gives_up(reason: &str) -> bool {
    const SIGNS: [&str; 7] = [
        "abort",
        "cancel",
        "error",
        "fail",
        "timeout",
        "timed_out",
        "insufficient",
    ];
    let reason = reason.to_ascii_lowercase();
    SIGNS.iter().any(|sign| reason.contains(sign))
}
