//! How a side is reached.

use super::config::{GatewayConfig, PROVIDER_KEY};
use crate::asking::Asking;
use crate::failure::Failure;
use load::{Client, HeaderMap, Target, TcpConnector, TlsOptions};
use trace::Record;

/// Which way a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Direct,
    Through,
}

/// Whole answers or streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Whole,
    Stream,
}

/// How a side is reached.
pub(super) struct Way {
    pub(super) target: Target,
    key: String,
    headers: Vec<(String, String)>,
}

impl Way {
    pub(super) fn direct(target: Target) -> Self {
        Way {
            target,
            key: PROVIDER_KEY.to_owned(),
            headers: Vec::new(),
        }
    }

    pub(super) fn through(config: &GatewayConfig, headers: Vec<(String, String)>) -> Self {
        Way {
            target: config.through.clone(),
            key: config.api_key.clone(),
            headers,
        }
    }

    fn headers(&self, kind: Kind) -> Result<HeaderMap, Failure> {
        let stream = kind == Kind::Stream;
        load::request_headers(&self.target, stream, Some(&self.key), &self.headers)
            .map_err(Failure::usage)
    }

    /// A client of this side.
    ///
    /// # Errors
    /// Nobody accepts a connection there.
    pub(super) fn client(
        &self,
        config: &GatewayConfig,
        kind: Kind,
        invocation: u64,
        on_record: Box<dyn FnMut(Record) + Send>,
    ) -> Result<Client<TcpConnector>, Failure> {
        self.asking(config, kind, invocation)?.client(on_record)
    }

    /// One whole request on a connection of its own; `Err` where there is no connection.
    pub(super) async fn ask(&self, config: &GatewayConfig) -> Result<Record, Failure> {
        self.asking(config, Kind::Whole, 0)?.once().await
    }

    fn asking<'a>(
        &'a self,
        config: &'a GatewayConfig,
        kind: Kind,
        invocation: u64,
    ) -> Result<Asking<'a>, Failure> {
        let connect = config.deadlines.connect;
        let connector = TcpConnector::probe(&self.target, &TlsOptions::default(), connect);
        Ok(Asking {
            target: &self.target,
            connector: connector.map_err(Failure::failed)?,
            headers: self.headers(kind)?,
            model: &config.args.model,
            stream: kind == Kind::Stream,
            deadlines: config.deadlines,
            keep_alive: !config.args.no_keep_alive,
            invocation,
        })
    }
}
