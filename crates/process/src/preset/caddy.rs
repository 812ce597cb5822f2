//! Caddy.

use super::{GRACE, GatewaySettings};
use crate::ChildSpec;

/// Without certificates and administration; every write is flushed.
pub(super) fn spec(settings: &GatewaySettings) -> ChildSpec {
    let config = settings.scratch.join("Caddyfile");
    let (program, mut args) = settings.words(&["caddy"]);
    let flags = ["run", "--adapter", "caddyfile", "--config"];
    args.extend(flags.map(str::to_owned));
    args.push(config.display().to_string());
    let GatewaySettings { host, port, .. } = settings;
    let provider = settings.provider_address();
    let text = format!(
        "{{\n\
         \x20   admin off\n\
         \x20   auto_https off\n\
         }}\n\
         http://:{port} {{\n\
         \x20   bind {host}\n\
         \x20   reverse_proxy {provider} {{\n\
         \x20       flush_interval -1\n\
         \x20   }}\n\
         }}\n"
    );
    ChildSpec {
        name: "caddy".to_owned(),
        program,
        args,
        // It keeps its state there.
        environment: ["XDG_DATA_HOME", "XDG_CONFIG_HOME"]
            .map(|name| (name.to_owned(), settings.scratch.display().to_string()))
            .into(),
        folder: settings.folder.clone(),
        files: vec![(config, text)],
        grace: GRACE,
    }
}
