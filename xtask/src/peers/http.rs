//! The plain client that truths are asked with: one request, one connection, and when each part of the answer came.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::Read;
use std::time::{Duration, Instant};

/// A server that starts may take a connection and say nothing.
const LOOK: Duration = Duration::from_secs(5);

/// An answer of a real model on a shared processor.
const ANSWER: Duration = Duration::from_mins(5);

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The parts as they were read, with the time since the request was sent.
    pub(crate) parts: Vec<(Duration, Vec<u8>)>,
}

impl Answer {
    pub(crate) fn body(&self) -> Vec<u8> {
        self.parts
            .iter()
            .flat_map(|(_, bytes)| bytes.clone())
            .collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&named.1)
    }
}

fn agent(patience: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(patience))
        // An error's body is what we want to read.
        .http_status_as_error(false)
        .build();
    config.into()
}

pub(crate) fn get(url: &str) -> Result<Answer> {
    let begun = Instant::now();
    read(agent(LOOK).get(url).call()?, begun)
}

/// Sends JSON, with a key where there is one.
pub(crate) fn post(url: &str, key: Option<&str>, body: &Value) -> Result<Answer> {
    let mut request = agent(ANSWER)
        .post(url)
        .header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let begun = Instant::now();
    read(request.send(body.to_string())?, begun)
}

/// The same where anything but a success is an error of ours.
pub(crate) fn ask(url: &str, key: Option<&str>, body: &Value) -> Result<Answer> {
    let answer = post(url, key, body)?;
    ensure!(
        answer.status == 200,
        "{url} answered {}: {}",
        answer.status,
        answer.text()
    );
    Ok(answer)
}

fn read(response: ureq::http::Response<ureq::Body>, begun: Instant) -> Result<Answer> {
    let status = response.status().as_u16();
    let headers = response.headers().iter();
    let headers = headers
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    let mut body = response.into_body().into_reader();
    let (mut parts, mut buffer) = (Vec::new(), vec![0; 65_536]);
    loop {
        let length = body.read(&mut buffer).context("the answer broke off")?;
        if length == 0 {
            break;
        }
        parts.push((begun.elapsed(), buffer[..length].to_vec()));
    }
    Ok(Answer {
        status,
        headers,
        parts,
    })
}
