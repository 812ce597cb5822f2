//! nginx.

use super::{GRACE, GatewaySettings};
use crate::ChildSpec;

/// One worker, connections to the provider kept alive, nothing buffered, nothing logged.
pub(super) fn spec(settings: &GatewaySettings) -> ChildSpec {
    let config = settings.scratch.join("nginx.conf");
    let (program, mut args) = settings.words(&["nginx"]);
    let scratch = settings.scratch.display().to_string();
    args.extend([
        "-p".to_owned(),
        scratch,
        "-c".to_owned(),
        config.display().to_string(),
    ]);
    ChildSpec {
        name: "nginx".to_owned(),
        program,
        args,
        environment: Vec::new(),
        folder: settings.folder.clone(),
        files: vec![(config, text(settings))],
        grace: GRACE,
    }
}

fn text(settings: &GatewaySettings) -> String {
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let scratch = settings.scratch.display();
    let paths = kinds
        .map(|kind| format!("    {kind}_temp_path {scratch}/{kind};\n"))
        .concat();
    let (address, provider) = (settings.address(), settings.provider_address());
    format!(
        "daemon off;\n\
         worker_processes 1;\n\
         pid {scratch}/nginx.pid;\n\
         error_log stderr;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n\
         \x20   access_log off;\n\
         {paths}\
         \x20   upstream provider {{\n\
         \x20       server {provider};\n\
         \x20       keepalive 1024;\n\
         \x20       keepalive_requests 1000000000;\n\
         \x20   }}\n\
         \x20   server {{\n\
         \x20       listen {address};\n\
         \x20       keepalive_requests 1000000000;\n\
         \x20       location / {{\n\
         \x20           proxy_pass http://provider;\n\
         \x20           proxy_http_version 1.1;\n\
         \x20           proxy_set_header Connection \"\";\n\
         \x20           proxy_buffering off;\n\
         \x20       }}\n\
         \x20   }}\n\
         }}\n"
    )
}
