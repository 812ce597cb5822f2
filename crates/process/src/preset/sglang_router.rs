//! `SGLang`'s router.

use super::{GRACE, GatewaySettings};
use crate::ChildSpec;

/// `SGLang`'s router, with one worker behind it.
pub(super) fn spec(settings: &GatewaySettings) -> ChildSpec {
    let (program, mut args) = settings.words(&["python3", "-m", "sglang_router.launch_router"]);
    let port = settings.port.to_string();
    for (flag, value) in [
        ("--worker-urls", settings.provider.as_str()),
        ("--host", &settings.host),
        ("--port", &port),
    ] {
        args.extend([flag.to_owned(), value.to_owned()]);
    }
    ChildSpec {
        name: "sglang-router".to_owned(),
        program,
        args,
        environment: Vec::new(),
        folder: settings.folder.clone(),
        files: Vec::new(),
        grace: GRACE,
    }
}
