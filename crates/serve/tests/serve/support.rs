//! A model whose answers are known beforehand, and a client that says exactly what is on the wire.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use engine::{Logits, Model, ModelError, SchedulerConfig, StepPlan};
use models::{ChatTemplate, Tokenizer};
use serve::{ServeConfig, ServeHandle, TextCodec, spawn_model};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// What the fake model says, over and over: the byte at a token's position in its sequence. Some
/// characters have two and three bytes.
pub(crate) const SAID: &str = "The naïve café sold 42 croissants — all at once. ";
/// The model's name.
pub(crate) const NAME: &str = "fake/model";
/// End-of-sequence token of the byte tokenizer.
const EOS: u32 = 256;

/// A model that says [`SAID`].
#[derive(Default)]
pub(crate) struct Fake {
    /// Says that a step has begun, and waits for the word to go on.
    pub(crate) gate: Option<(Sender<()>, Receiver<()>)>,
    /// Says the end-of-sequence token at this position.
    pub(crate) eos_at: Option<usize>,
    /// Panics where a chunk has this token.
    pub(crate) panics_at: Option<u32>,
    /// Fails where a chunk has this token.
    pub(crate) fails_at: Option<u32>,
}

impl Model for Fake {
    fn vocab_size(&self) -> usize {
        260
    }

    fn context_tokens(&self) -> usize {
        1 << 20
    }

    fn blocks(&self) -> usize {
        1 << 16
    }

    fn forward(&mut self, plan: &StepPlan, logits: &mut Logits) -> Result<(), ModelError> {
        if let Some((entered, go_on)) = &self.gate {
            // With the other end gone, the gate is open.
            let _ = entered.send(());
            let _ = go_on.recv();
        }
        if let Some(token) = self.panics_at {
            assert!(
                !plan.tokens.contains(&token),
                "the fake model panics, as the test wants it"
            );
        }
        if self
            .fails_at
            .is_some_and(|token| plan.tokens.contains(&token))
        {
            return Err(ModelError("no more numbers".to_owned()));
        }
        logits.resize(plan.logits_rows(), 260);
        let asked = plan.chunks.iter().filter(|chunk| chunk.logits);
        for (row, chunk) in asked.enumerate() {
            let position = chunk.start + chunk.tokens.len();
            let token = if self.eos_at == Some(position) {
                EOS as usize
            } else {
                usize::from(SAID.as_bytes()[position % SAID.len()])
            };
            let row = logits.row_mut(row);
            row.fill(-100.0);
            row[token] = 100.0;
        }
        Ok(())
    }
}

/// The text after a prompt of `prompt` tokens.
pub(crate) fn said(prompt: usize, tokens: usize) -> String {
    let bytes = (prompt..prompt + tokens).map(|at| SAID.as_bytes()[at % SAID.len()]);
    String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
}

/// The test's end of a model's gate.
pub(crate) struct Gate {
    entered: Receiver<()>,
    go_on: Sender<()>,
}

impl Gate {
    pub(crate) fn new(entered: Receiver<()>, go_on: Sender<()>) -> Gate {
        Gate { entered, go_on }
    }

    /// Waits until the model is in a step.
    pub(crate) fn entered(&self) {
        self.entered.recv_timeout(PATIENCE).expect("a step begins");
    }

    /// Lets the step that runs end.
    pub(crate) fn step(&self) {
        self.go_on.send(()).expect("the model is there");
    }
}

impl Fake {
    /// With a gate.
    pub(crate) fn gated() -> (Fake, Gate) {
        let (enter, entered) = channel();
        let (go_on, wait) = channel();
        let fake = Fake {
            gate: Some((enter, wait)),
            ..Fake::default()
        };
        (fake, Gate { entered, go_on })
    }
}

/// How long anything may take; only a failed test does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Limits for most tests.
pub(crate) fn scheduler() -> SchedulerConfig {
    SchedulerConfig {
        blocks: 256,
        sequences_max: 8,
        step_tokens_max: 64,
        queue_max: 16,
        context_tokens: 512,
        prefix_cache: true,
    }
}

/// A configuration for most tests.
pub(crate) fn config() -> ServeConfig {
    ServeConfig {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        model_name: NAME.to_owned(),
        scheduler: scheduler(),
        drain: PATIENCE,
        ..ServeConfig::default()
    }
}

/// Bytes and their templates.
pub(crate) fn codec() -> TextCodec {
    TextCodec {
        tokenizer: Arc::new(Tokenizer::bytes()),
        template: Some(ChatTemplate::chatml()),
        eos: vec![EOS],
    }
}

/// A server with the fake model.
pub(crate) fn server(config: ServeConfig, model: Fake) -> ServeHandle {
    spawn_model(config, model, codec()).expect("the server starts")
}

/// Waits, without a fixed time, until something is so.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "it never came to be that {what}");
        std::thread::yield_now();
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answered {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The events' data.
    pub(crate) fn events(&self) -> Vec<String> {
        self.text()
            .split("\n\n")
            .filter_map(|event| event.strip_prefix("data: ").map(str::to_owned))
            .collect()
    }
}

/// A connection.
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        Client::over(TcpStream::connect(address).expect("the server listens"))
    }

    pub(crate) fn over(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client {
            reader: BufReader::new(stream),
        }
    }

    /// Another end of the same socket.
    pub(crate) fn clone_stream(&self) -> TcpStream {
        self.reader.get_ref().try_clone().unwrap()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> &mut Client {
        // A server that has had enough may have closed already; its answer counts.
        let _ = self.reader.get_mut().write_all(bytes);
        self
    }

    pub(crate) fn post(&mut self, path: &str, body: &str) -> &mut Client {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.send((head + body).as_bytes())
    }

    pub(crate) fn get(&mut self, path: &str) -> &mut Client {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n").as_bytes())
    }

    /// A line without its end; empty at the end of the connection.
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        let _ = self.reader.read_until(b'\n', &mut line);
        String::from_utf8_lossy(&line).trim_end().to_owned()
    }

    /// Status and headers.
    pub(crate) fn head(&mut self) -> Answered {
        let status = self.line();
        let status = status
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0);
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            match line.split_once(": ") {
                Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
                None => break,
            }
        }
        Answered {
            status,
            headers,
            body: Vec::new(),
        }
    }

    /// The next chunk of a chunked body; empty at its end.
    pub(crate) fn chunk(&mut self) -> Vec<u8> {
        let line = self.line();
        let size = usize::from_str_radix(&line, 16).unwrap_or(0);
        let mut data = vec![0; size + 2];
        match self.reader.read_exact(&mut data) {
            Ok(()) => {
                data.truncate(size);
                data
            }
            Err(_) => Vec::new(),
        }
    }

    /// A whole answer, streamed or not.
    pub(crate) fn answer(&mut self) -> Answered {
        let mut answered = self.head();
        if answered.header("transfer-encoding").is_some() {
            loop {
                let chunk = self.chunk();
                if chunk.is_empty() {
                    break;
                }
                answered.body.extend(chunk);
            }
        } else {
            let length = answered
                .header("content-length")
                .and_then(|text| text.parse().ok());
            answered.body = vec![0; length.unwrap_or(0)];
            self.reader.read_exact(&mut answered.body).unwrap();
        }
        answered
    }

    /// Whether the server has closed the connection; waits for it.
    pub(crate) fn closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

pub(crate) fn post(address: SocketAddr, path: &str, body: &str) -> Answered {
    Client::connect(address).post(path, body).answer()
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Answered {
    Client::connect(address).get(path).answer()
}

/// A completion request of one byte-token prompt `x`, and more fields.
pub(crate) fn completion(fields: &str) -> String {
    format!(r#"{{"prompt":"x"{fields}}}"#)
}

/// A metric's value, without labels.
pub(crate) fn metric(address: SocketAddr, name: &str) -> f64 {
    let text = get(address, "/metrics").text();
    let line = text
        .lines()
        .find(|line| line.starts_with(name) && !line.starts_with('#'))
        .unwrap_or_else(|| panic!("no metric {name} in {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
