//! `LiteLLM`'s proxy.

use super::{GRACE, GatewaySettings};
use crate::ChildSpec;

/// The proxy of `LiteLLM`. As its own benchmark does, it is started with `uv run litellm` unless told otherwise.
pub(super) fn spec(settings: &GatewaySettings) -> ChildSpec {
    let config = settings.scratch.join("litellm.yaml");
    let (program, mut args) = settings.words(&["uv", "run", "litellm"]);
    let (host, port) = (settings.host.clone(), settings.port.to_string());
    args.extend(["--config".to_owned(), config.display().to_string()]);
    args.extend(["--host".to_owned(), host, "--port".to_owned(), port]);
    let environment = [("LITELLM_TELEMETRY", "False"), ("PYTHONUNBUFFERED", "1")];
    ChildSpec {
        name: "litellm".to_owned(),
        program,
        args,
        environment: environment
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        folder: settings.folder.clone(),
        files: vec![(config, text(settings))],
        grace: GRACE,
    }
}

fn text(settings: &GatewaySettings) -> String {
    let GatewaySettings {
        model,
        provider,
        api_key,
        ..
    } = settings;
    format!(
        "model_list:\n\
         \x20 - model_name: {model}\n\
         \x20   litellm_params:\n\
         \x20     model: openai/{model}\n\
         \x20     api_key: fake-provider-key\n\
         \x20     api_base: {provider}/v1\n\
         general_settings:\n\
         \x20 master_key: {api_key}\n\
         litellm_settings:\n\
         \x20 drop_params: true\n\
         \x20 telemetry: false\n"
    )
}
