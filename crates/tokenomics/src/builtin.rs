//! The server that is measured where none is named.

use crate::failure::Failure;
use load::Target;
use mock::{MockConfig, MockHandle};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A built-in server on a free loopback port; it stops when this is dropped.
pub(crate) struct BuiltIn {
    server: MockHandle,
}

impl BuiltIn {
    /// Starts it.
    pub(crate) fn start() -> Result<Self, Failure> {
        let config = MockConfig {
            ttft: Duration::from_millis(50),
            itl: Duration::from_millis(10),
            ..MockConfig::default()
        };
        let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = mock::spawn(free_port, config, None).map_err(Failure::failed)?;
        Ok(BuiltIn { server })
    }

    /// Where it listens.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        Target::parse(&format!("http://{}/v1", self.server.addr())).map_err(Failure::failed)
    }

    /// What it is, for the person who did not ask for it.
    pub(crate) const WORDS: &str = "the built-in mock provider: first token after 50 ms, \
                                    then one every 10 ms";
}
