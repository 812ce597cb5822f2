//! Our mock, as the provider behind real gateways.

use super::child::{Server, free_port, spec};
use super::measured::Instrument;
use anyhow::Result;
use std::time::Duration;

/// First token and gaps of a healthy one, in milliseconds.
pub(super) const TTFT_MS: f64 = 50.0;
pub(super) const ITL_MS: f64 = 10.0;

/// A mock called `name`, which every gateway knows by it.
pub(super) fn mock(instrument: &Instrument<'_>, name: &str, flags: &[&str]) -> Result<Server> {
    let port = free_port()?;
    let (number, ttft, itl) = (port.to_string(), TTFT_MS.to_string(), ITL_MS.to_string());
    let mut args = vec![
        "mock",
        "--port",
        &number,
        "--model",
        name,
        "--ttft-ms",
        &ttft,
        "--itl-ms",
        &itl,
    ];
    args.extend(flags);
    let command = spec(name, instrument.program(), &args);
    let log = instrument.cache.log(&format!("mock-{name}"));
    Server::start(&command, port, "/v1/models", Duration::from_secs(10), &log)
}
