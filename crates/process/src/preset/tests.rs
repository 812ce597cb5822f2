use super::{Gateway, GatewaySettings, PresetError, Server, ServerSettings};
use std::fmt::Write;

fn settings() -> GatewaySettings {
    GatewaySettings {
        scratch: "/scratch".into(),
        folder: None,
        command: None,
        config_template: None,
        host: "127.0.0.1".to_owned(),
        port: 4000,
        provider: "http://127.0.0.1:8099".to_owned(),
        model: "perf-test-model".to_owned(),
        api_key: "sk-test".to_owned(),
    }
}

/// Command, variables, headers and files, as a person would look at them.
fn shown(gateway: Gateway, settings: &GatewaySettings) -> String {
    let spec = gateway.spec(settings).unwrap();
    let mut text = format!("$ {}\n", spec.command_line());
    for (name, value) in spec.environment.iter().chain(&gateway.headers(settings)) {
        writeln!(text, "{name}: {value}").unwrap();
    }
    for (path, contents) in &spec.files {
        write!(text, "-- {}\n{contents}", path.display()).unwrap();
    }
    text
}

#[test]
fn what_each_preset_starts() {
    for gateway in [
        Gateway::LiteLlm,
        Gateway::Nginx,
        Gateway::Haproxy,
        Gateway::Caddy,
        Gateway::SglangRouter,
        Gateway::Portkey,
    ] {
        insta::assert_snapshot!(gateway.name(), shown(gateway, &settings()));
    }
}

#[test]
fn a_gateway_of_ones_own_gets_its_placeholders_filled() {
    let settings = GatewaySettings {
        command: Some(
            [
                "my-gateway",
                "--config",
                "{config}",
                "--listen={host}:{port}",
            ]
            .map(str::to_owned)
            .into(),
        ),
        config_template: Some("upstream { url {provider_url}/v1; key {api_key} }\n".to_owned()),
        ..settings()
    };
    insta::assert_snapshot!("custom", shown(Gateway::Custom, &settings));
}

#[test]
fn a_key_is_on_no_command_line() {
    let with = |words: &[&str], template: Option<&str>| {
        let settings = GatewaySettings {
            command: Some(words.iter().map(|word| (*word).to_owned()).collect()),
            config_template: template.map(str::to_owned),
            ..settings()
        };
        Gateway::Custom.spec(&settings).unwrap_err()
    };
    assert_eq!(
        with(&["x", "--key={api_key}"], None),
        PresetError::KeyInCommand
    );
    assert_eq!(with(&["x", "{config}"], None), PresetError::NoTemplate);
    assert_eq!(with(&[], None), PresetError::NoCommand);
    let unknown = PresetError::Placeholder {
        name: "url".to_owned(),
    };
    assert_eq!(with(&["x", "{url}"], None), unknown);
    assert_eq!(with(&["x"], Some("{url}")), unknown);
    for gateway in [
        Gateway::LiteLlm,
        Gateway::Nginx,
        Gateway::Haproxy,
        Gateway::Caddy,
        Gateway::SglangRouter,
        Gateway::Portkey,
    ] {
        assert!(
            !gateway
                .spec(&settings())
                .unwrap()
                .command_line()
                .contains("sk-test")
        );
    }
}

fn server_settings() -> ServerSettings {
    ServerSettings {
        model: "/models/llama 8b".to_owned(),
        name: "llama-8b".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 8000,
        command: None,
        tensor_parallel: 1,
        pipeline_parallel: 1,
        device: None,
        speculative: None,
        loras: Vec::new(),
        more: Vec::new(),
    }
}

#[test]
fn how_each_server_is_started() {
    let mut text = String::new();
    let plain = server_settings();
    let full = ServerSettings {
        tensor_parallel: 2,
        pipeline_parallel: 4,
        speculative: Some(("/models/draft".to_owned(), 5)),
        loras: vec![
            ("law".to_owned(), "/loras/law".to_owned()),
            ("code".to_owned(), "/loras/code".to_owned()),
        ],
        more: vec!["--max-model-len".to_owned(), "8192".to_owned()],
        ..server_settings()
    };
    let on_cuda = ServerSettings {
        device: Some("cuda".to_owned()),
        ..full.clone()
    };
    let some = ServerSettings {
        speculative: full.speculative.clone(),
        loras: full.loras[..1].to_vec(),
        command: Some(
            ["/venv/bin/python", "-m", "llama_cpp.server"]
                .map(str::to_owned)
                .into(),
        ),
        ..server_settings()
    };
    for (server, settings) in [
        (Server::Vllm, &plain),
        (Server::Vllm, &full),
        (Server::Sglang, &plain),
        (Server::Sglang, &on_cuda),
        (Server::LlamaCpp, &plain),
        (Server::LlamaCpp, &some),
        (Server::Tokenomics, &plain),
    ] {
        let spec = server.spec(settings, "tokenomics").unwrap();
        writeln!(text, "$ {}", spec.command_line()).unwrap();
    }
    insta::assert_snapshot!("servers", text);
    let cannot =
        |server: Server, settings| server.spec(settings, "tokenomics").unwrap_err().to_string();
    assert!(cannot(Server::LlamaCpp, &full).starts_with("llama-cpp cannot do --tp"));
    assert!(
        cannot(Server::Tokenomics, &some).starts_with("tokenomics cannot do --speculative-model")
    );
}
