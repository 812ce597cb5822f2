//! A server that keeps the bodies of the requests that it answers.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The bodies so far, in the order in which they came.
#[derive(Clone, Default)]
pub(crate) struct Bodies(Arc<Mutex<Vec<Value>>>);

impl Bodies {
    pub(crate) fn all(&self) -> Vec<Value> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Answers every chat with a word, and lists the model `m`. It ends with the process.
pub(crate) fn listener() -> (Bodies, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let bodies = Bodies::default();
    let kept = bodies.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let kept = kept.clone();
            thread::spawn(move || while answer(&mut stream.as_ref().unwrap(), &kept).is_some() {});
        }
    });
    (bodies, url)
}

/// One exchange; `None` where the connection is over.
fn answer(mut stream: impl Read + Write, kept: &Bodies) -> Option<()> {
    let mut length = 0;
    let mut posted = false;
    let mut reader = BufReader::new(&mut stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        posted |= line.starts_with("post ");
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = if posted {
        let body = serde_json::from_slice(&body).unwrap();
        kept.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(body);
        r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#
    } else {
        r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(answer.as_bytes()).ok()
}
