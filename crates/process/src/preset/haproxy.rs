//! `HAProxy`.

use super::{GRACE, GatewaySettings};
use crate::ChildSpec;

/// One thread, connections to the provider shared and kept alive.
pub(super) fn spec(settings: &GatewaySettings) -> ChildSpec {
    let config = settings.scratch.join("haproxy.cfg");
    let (program, mut args) = settings.words(&["haproxy"]);
    args.extend([
        "-db".to_owned(),
        "-f".to_owned(),
        config.display().to_string(),
    ]);
    let (address, provider) = (settings.address(), settings.provider_address());
    let text = format!(
        "global\n\
         \x20   nbthread 1\n\
         \x20   maxconn 8192\n\
         defaults\n\
         \x20   mode http\n\
         \x20   option http-no-delay\n\
         \x20   http-reuse always\n\
         \x20   timeout connect 5s\n\
         \x20   timeout client 300s\n\
         \x20   timeout server 300s\n\
         frontend gateway\n\
         \x20   bind {address}\n\
         \x20   default_backend provider\n\
         backend provider\n\
         \x20   server provider {provider}\n"
    );
    ChildSpec {
        name: "haproxy".to_owned(),
        program,
        args,
        environment: Vec::new(),
        folder: settings.folder.clone(),
        files: vec![(config, text)],
        grace: GRACE,
    }
}
