use crate::channel::{Channel, ChannelError};
use crate::connector::Connector;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::HeaderMap;
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
    let asking = async {
        let mut channel = Channel::open(connector).await?;
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = path
            .parse()
            .map_err(|_| format!("its path {path} cannot be sent"))?;
        *request.headers_mut() = headers;
        let response = channel.send(request).await.map_err(ChannelError::words)?;
        let status = response.status().as_u16();
        let mut incoming = response.into_body();
        let mut body = Vec::new();
        while let Some(piece) =
            std::future::poll_fn(|cx| channel.poll_piece(cx, &mut incoming)).await
        {
            body.extend_from_slice(&piece.map_err(ChannelError::words)?);
            if body.len() > BODY_LIMIT {
                return Err(format!("its answer is longer than {BODY_LIMIT} bytes"));
            }
        }
        Ok(Answer { status, body })
    };
    tokio::time::timeout(within, asking)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", within.as_secs_f64())))
}
