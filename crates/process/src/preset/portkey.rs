//! Portkey's gateway.

use super::{GRACE, GatewaySettings};
use crate::ChildSpec;

/// Portkey's gateway, from npm. It has no configuration: each request says where it goes.
pub(super) fn spec(settings: &GatewaySettings) -> ChildSpec {
    let (program, mut args) = settings.words(&["npx", "--yes", "@portkey-ai/gateway"]);
    args.push(format!("--port={}", settings.port));
    args.push("--headless".to_owned());
    ChildSpec {
        name: "portkey".to_owned(),
        program,
        args,
        environment: Vec::new(),
        folder: settings.folder.clone(),
        files: Vec::new(),
        grace: GRACE,
    }
}

pub(super) fn headers(settings: &GatewaySettings) -> Vec<(String, String)> {
    let provider = format!("{}/v1", settings.provider);
    [
        ("x-portkey-provider", "openai".to_owned()),
        ("x-portkey-custom-host", provider),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
