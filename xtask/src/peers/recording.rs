//! Streams of real servers, kept as the fixtures of `crates/openai/tests/recordings`.
//!
//! A recording is the answer's head, an empty line, and its lines, each that is not empty with the seconds from the
//! request before it.

use super::http::{Answer, ask};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A test should not read more.
const BYTES_MAX: usize = 60_000;

/// Where recordings go, if anywhere.
pub(crate) struct Recorder {
    pub(crate) folder: Option<PathBuf>,
}

/// A chat that streams and counts.
pub(crate) fn chat(model: &str, tokens: u32) -> Value {
    json!({
        "model": model,
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        "max_tokens": tokens,
        "stream": true,
        "stream_options": {"include_usage": true},
    })
}

impl Recorder {
    /// Asks once and keeps what came, where that is wanted.
    pub(crate) fn record(&self, name: &str, api: &str, path: &str, body: &Value) -> Result<()> {
        self.record_with(name, api, path, None, body)
    }

    pub(crate) fn record_with(
        &self,
        name: &str,
        api: &str,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let answer = ask(&format!("{api}{path}"), key, body)?;
        let text = written(&answer)?;
        ensure!(
            text.len() <= BYTES_MAX,
            "{name} has {} bytes, of {BYTES_MAX}",
            text.len()
        );
        fs::create_dir_all(folder)?;
        let content = answer.header("content-type").unwrap_or_default();
        let kind = if content.starts_with("text/event-stream") {
            "sse"
        } else {
            "body"
        };
        let file = folder.join(format!("{name}.{kind}"));
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

fn written(answer: &Answer) -> Result<String> {
    let mut text = format!("HTTP/1.1 {}\n", answer.status);
    for (name, value) in &answer.headers {
        writeln!(text, "{name}: {value}")?;
    }
    text.push('\n');
    let mut line = Vec::new();
    let mut end = |line: &mut Vec<u8>, at: Duration| -> Result<()> {
        let words = String::from_utf8(std::mem::take(line)).context("it is no UTF-8")?;
        if !words.trim().is_empty() {
            write!(text, "{:.3} ", at.as_secs_f64())?;
        }
        text.push_str(&words);
        Ok(())
    };
    let mut last = Duration::ZERO;
    for (at, bytes) in &answer.parts {
        last = *at;
        for &byte in bytes {
            line.push(byte);
            if byte == b'\n' {
                end(&mut line, *at)?;
            }
        }
    }
    end(&mut line, last)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::written;
    use crate::peers::http::Answer;
    use std::time::Duration;

    #[test]
    fn each_line_has_the_time_of_the_part_that_ended_it() {
        let part = |ms, bytes: &[u8]| (Duration::from_millis(ms), bytes.to_vec());
        let answer = Answer {
            status: 200,
            headers: vec![("content-type".to_owned(), "text/event-stream".to_owned())],
            parts: vec![part(1, b"data: a\n\nda"), part(20, b"ta: b\n\ndata: c")],
        };
        let expected = "HTTP/1.1 200\ncontent-type: text/event-stream\n\n0.001 data: a\n\n0.020 data: b\n\n0.020 data: c";
        assert_eq!(written(&answer).unwrap(), expected);
    }
}
