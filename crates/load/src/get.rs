//! Single requests that are not measured.

use crate::channel::{Channel, ChannelError};
use crate::connector::Connector;
use crate::headers::request_head;
use http::HeaderMap;
use std::time::Duration;

/// An answer that is not measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, up to its limit.
    pub body: Vec<u8>,
}

/// What a list of models or the like may have.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// Asks a server for something beside the measurement, such as its list of models.
///
/// # Errors
/// A sentence: no connection, no answer in time, or too long an answer.
pub async fn get<C: Connector>(
    connector: &C,
    path: &str,
    headers: HeaderMap,
    within: Duration,
) -> Result<Answer, String> {
    let mut request = request_head("GET", path, &headers);
    request.extend_from_slice(b"\r\n");
    ask(connector, request, within).await
}

/// The same with a JSON body, on a connection of its own.
///
/// # Errors
/// As [`get`].
pub async fn post<C: Connector>(
    connector: &C,
    path: &str,
    headers: HeaderMap,
    body: &[u8],
    within: Duration,
) -> Result<Answer, String> {
    let mut request = request_head("POST", path, &headers);
    request.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    request.extend_from_slice(body);
    ask(connector, request, within).await
}

async fn ask<C: Connector>(
    connector: &C,
    request: Vec<u8>,
    within: Duration,
) -> Result<Answer, String> {
    let asking = async {
        let mut channel = Channel::open(connector).await?;
        channel.send(&request).await.map_err(ChannelError::words)?;
        let mut body = Vec::new();
        loop {
            let mut take = |bytes: &[u8], _| body.extend_from_slice(bytes);
            let reading = std::future::poll_fn(|cx| channel.poll_receive(cx, &mut take));
            if reading.await.map_err(ChannelError::words)? {
                break;
            }
            if body.len() > BODY_LIMIT {
                return Err(format!("its answer is longer than {BODY_LIMIT} bytes"));
            }
        }
        Ok(Answer {
            status: channel.head().map_or(0, |head| head.status),
            body,
        })
    };
    tokio::time::timeout(within, asking)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", within.as_secs_f64())))
}
