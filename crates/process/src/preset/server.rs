//! Known servers of language models.

use super::{GRACE_OF_SERVERS, PresetError};
use crate::ChildSpec;

/// The servers that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// vLLM.
    Vllm,
    /// `SGLang`.
    Sglang,
    /// llama.cpp behind llama-cpp-python's server.
    LlamaCpp,
    /// The built-in engine.
    Tokenomics,
}

/// What a server is to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// A path, or an id of the hub.
    pub model: String,
    /// The name that requests give.
    pub name: String,
    /// Where it shall listen.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The words that start it, in place of the usual ones.
    pub command: Option<Vec<String>>,
    /// Parts that each layer is cut into.
    pub tensor_parallel: u32,
    /// Groups of layers on devices of their own.
    pub pipeline_parallel: u32,
    /// Where it computes; the server's own choice where absent.
    pub device: Option<String>,
    /// A smaller model that guesses ahead, and how many tokens.
    pub speculative: Option<(String, u32)>,
    /// `LoRA` adapters: name and path.
    pub loras: Vec<(String, String)>,
    /// Flags of its own, as they are.
    pub more: Vec<String>,
}

impl Server {
    /// As `launch` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Server::Vllm => "vllm",
            Server::Sglang => "sglang",
            Server::LlamaCpp => "llama-cpp",
            Server::Tokenomics => "tokenomics",
        }
    }

    /// What to start. `own` is this program.
    ///
    /// # Errors
    /// The server cannot do what is asked.
    pub fn spec(self, settings: &ServerSettings, own: &str) -> Result<ChildSpec, PresetError> {
        self.check(settings)?;
        let usual: &[&str] = match self {
            Server::Vllm => &["vllm", "serve"],
            Server::Sglang => &["python3", "-m", "sglang.launch_server"],
            Server::LlamaCpp => &["python3", "-m", "llama_cpp.server"],
            Server::Tokenomics => &[own, "serve"],
        };
        let usual = usual.iter().map(|word| (*word).to_owned());
        let words = settings.command.clone().filter(|words| !words.is_empty());
        let mut words = words.unwrap_or_else(|| usual.collect()).into_iter();
        let program = words.next().unwrap_or_default();
        let flags = match self {
            Server::Vllm => vllm(settings),
            Server::Sglang => sglang(settings),
            Server::LlamaCpp => llama_cpp(settings),
            Server::Tokenomics => vec![
                ("--model", settings.model.clone()),
                ("--served-model-name", settings.name.clone()),
            ],
        };
        let mut args: Vec<String> = words.collect();
        for (flag, value) in flags {
            // Without a flag, the value is an argument.
            args.extend(
                [flag.to_owned(), value]
                    .into_iter()
                    .filter(|word| !word.is_empty()),
            );
        }
        let port = settings.port.to_string();
        for (flag, value) in [("--host", settings.host.as_str()), ("--port", &port)] {
            args.extend([flag.to_owned(), value.to_owned()]);
        }
        args.extend_from_slice(&settings.more);
        Ok(ChildSpec {
            name: self.name().to_owned(),
            program,
            args,
            environment: vec![("PYTHONUNBUFFERED".to_owned(), "1".to_owned())],
            folder: None,
            files: Vec::new(),
            grace: GRACE_OF_SERVERS,
        })
    }

    fn check(self, settings: &ServerSettings) -> Result<(), PresetError> {
        let parallel = matches!(self, Server::Vllm | Server::Sglang);
        let speculates = self != Server::Tokenomics;
        for (asked, can, what) in [
            (settings.tensor_parallel > 1, parallel, "--tp"),
            (settings.pipeline_parallel > 1, parallel, "--pp"),
            // vLLM is built for one kind of device, and has dropped the flag.
            (
                settings.device.is_some(),
                self == Server::Sglang,
                "--device",
            ),
            (
                settings.speculative.is_some(),
                speculates,
                "--speculative-model",
            ),
            (!settings.loras.is_empty(), speculates, "--lora"),
        ] {
            if asked && !can {
                return Err(PresetError::CannotDo {
                    server: self.name(),
                    flag: what,
                });
            }
        }
        if self == Server::LlamaCpp && settings.loras.len() > 1 {
            return Err(PresetError::CannotDo {
                server: self.name(),
                flag: "more than one --lora",
            });
        }
        Ok(())
    }
}

type Flags = Vec<(&'static str, String)>;

fn vllm(settings: &ServerSettings) -> Flags {
    let mut flags = vec![
        ("", settings.model.clone()),
        ("--served-model-name", settings.name.clone()),
        (
            "--tensor-parallel-size",
            settings.tensor_parallel.to_string(),
        ),
    ];
    if settings.pipeline_parallel > 1 {
        flags.push((
            "--pipeline-parallel-size",
            settings.pipeline_parallel.to_string(),
        ));
    }
    if let Some((model, tokens)) = &settings.speculative {
        let model = model.replace('\\', "\\\\").replace('"', "\\\"");
        let config = format!(r#"{{"model": "{model}", "num_speculative_tokens": {tokens}}}"#);
        flags.push(("--speculative-config", config));
    }
    if !settings.loras.is_empty() {
        flags.push(("--enable-lora", String::new()));
        flags.push(("--lora-modules", String::new()));
        flags.extend(
            settings
                .loras
                .iter()
                .map(|(name, path)| ("", format!("{name}={path}"))),
        );
    }
    flags
}

fn sglang(settings: &ServerSettings) -> Flags {
    let mut flags = vec![
        ("--model-path", settings.model.clone()),
        ("--served-model-name", settings.name.clone()),
        ("--tp-size", settings.tensor_parallel.to_string()),
    ];
    if settings.pipeline_parallel > 1 {
        flags.push(("--pp-size", settings.pipeline_parallel.to_string()));
    }
    flags.extend(settings.device.clone().map(|device| ("--device", device)));
    if let Some((model, tokens)) = &settings.speculative {
        flags.extend([
            ("--speculative-algorithm", "STANDALONE".to_owned()),
            ("--speculative-draft-model-path", model.clone()),
            ("--speculative-num-draft-tokens", tokens.to_string()),
        ]);
    }
    if !settings.loras.is_empty() {
        flags.push(("--lora-paths", String::new()));
        flags.extend(
            settings
                .loras
                .iter()
                .map(|(name, path)| ("", format!("{name}={path}"))),
        );
    }
    flags
}

fn llama_cpp(settings: &ServerSettings) -> Flags {
    let mut flags = vec![
        ("--model", settings.model.clone()),
        ("--model_alias", settings.name.clone()),
        // By default a second request interrupts the first one, which then ends well and empty.
        ("--interrupt_requests", "false".to_owned()),
    ];
    if let Some((model, tokens)) = &settings.speculative {
        flags.extend([
            ("--draft_model", model.clone()),
            ("--draft_model_num_pred_tokens", tokens.to_string()),
        ]);
    }
    flags.extend(
        settings
            .loras
            .iter()
            .map(|(_, path)| ("--lora_path", path.clone())),
    );
    flags
}
