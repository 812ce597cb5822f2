//! Which model the built-in engine computes: a name, a path or a hub id to a loaded model.

use crate::args::{DTypeArg, EngineArgs};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::limits;
use crate::output::say;
use engine::SchedulerConfig;
use hub::{Hub, HubConfig, Repo, RepoKind};
use models::{
    DType, LoadOptions, Loaded, LoadedEncoder, LoadedModel, ModelFacts, ModelSpec, ModelText,
    Tokenizer,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// More threads than this only wait for each other.
const THREADS_MAX: usize = 256;

/// Loads the model that the flags name, which writes texts. `environment` looks up a variable.
pub(crate) fn load(
    args: &EngineArgs,
    environment: Environment<'_>,
) -> Result<LoadedModel, Failure> {
    let options = options(args)?;
    let model = models::load(&spec(args, environment)?, &options).map_err(Failure::usage)?;
    named(args, environment, model)
}

/// Loads the model that the flags name, be it an encoder.
pub(crate) fn load_any(args: &EngineArgs, environment: Environment<'_>) -> Result<Loaded, Failure> {
    let options = options(args)?;
    let loaded = models::load_any(&spec(args, environment)?, &options).map_err(Failure::usage)?;
    match loaded {
        Loaded::Generator(model) => {
            let model = named(args, environment, *model)?;
            Ok(Loaded::Generator(Box::new(model)))
        }
        Loaded::Encoder(_) if args.tokenizer_name.is_some() => Err(Failure::usage(
            "--tokenizer-name is for models that write texts; an encoder's tokenizer.json lies in its folder",
        )),
        Loaded::Encoder(mut encoder) => {
            if let Some(id) = &args.hf_model_id {
                encoder.name.clone_from(id);
            }
            Ok(Loaded::Encoder(encoder))
        }
    }
}

fn spec(args: &EngineArgs, environment: Environment<'_>) -> Result<ModelSpec, Failure> {
    let spec = match &args.hf_model_id {
        Some(id) => ModelSpec::parse(&from_hub(id, environment)?.to_string_lossy()),
        None => ModelSpec::parse(&args.model),
    };
    spec.map_err(Failure::usage)
}

/// With the name and the tokenizer that the flags give it.
fn named(
    args: &EngineArgs,
    environment: Environment<'_>,
    mut model: LoadedModel,
) -> Result<LoadedModel, Failure> {
    if let Some(id) = &args.hf_model_id {
        model.name.clone_from(id);
    }
    if let Some(name) = &args.tokenizer_name {
        model.tokenizer = Arc::new(tokenizer(name, environment)?);
    }
    Ok(model)
}

/// The limits of a scheduler over `model`.
pub(crate) fn scheduler_config(
    args: &EngineArgs,
    model: &LoadedModel,
    sequences_max: usize,
    queue_max: usize,
) -> Result<SchedulerConfig, Failure> {
    use engine::Model;
    limits::STEP_TOKENS.check(args.max_num_batched_tokens as u64)?;
    at_least("--max-num-seqs", sequences_max, 1, "")?;
    at_least(
        "--max-num-batched-tokens",
        args.max_num_batched_tokens,
        1,
        "",
    )?;
    Ok(SchedulerConfig {
        blocks: model.model.blocks(),
        sequences_max,
        step_tokens_max: args.max_num_batched_tokens,
        queue_max,
        context_tokens: model.model.context_tokens(),
        prefix_cache: !args.no_prefix_cache,
    })
}

/// The limits of batches of texts for `encoder`, in the fields that a scheduler has for them.
pub(crate) fn encoder_config(
    args: &EngineArgs,
    encoder: &LoadedEncoder,
    texts_max: usize,
    queue_max: usize,
) -> Result<SchedulerConfig, Failure> {
    use engine::Encoder;
    let longest = encoder.encoder.text_tokens_max();
    let tokens_max = args.max_num_batched_tokens;
    limits::STEP_TOKENS.check(args.max_num_batched_tokens as u64)?;
    let why = ", the longest text that the model takes, which --max-model-len can lower";
    at_least("--max-num-seqs", texts_max, 1, "")?;
    at_least("--max-num-batched-tokens", tokens_max, longest, why)?;
    Ok(SchedulerConfig {
        blocks: 0,
        sequences_max: texts_max,
        step_tokens_max: tokens_max,
        queue_max,
        context_tokens: longest,
        prefix_cache: false,
    })
}

fn at_least(flag: &str, value: usize, least: usize, why: &str) -> Result<(), Failure> {
    if value >= least {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{flag} must be at least {least}{why}, got `{value}`"
    )))
}

fn options(args: &EngineArgs) -> Result<LoadOptions, Failure> {
    if args.device != "cpu" {
        return Err(Failure::usage(format!(
            "--device must be cpu, got `{}`: the built-in engine computes on the processor; \
             measure a server on other hardware with `tokenomics chat --api-base URL`",
            args.device
        )));
    }
    let threads = match args.threads {
        Some(threads) if (1..=THREADS_MAX).contains(&threads) => threads,
        Some(threads) => {
            return Err(Failure::usage(format!(
                "--threads must be between 1 and {THREADS_MAX}, got `{threads}`"
            )));
        }
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    for (flag, value) in [
        ("--kv-cache-mib", Some(args.kv_cache_mib)),
        ("--num-kv-blocks", args.num_kv_blocks),
        ("--max-model-len", args.max_model_len),
    ] {
        if value == Some(0) {
            return Err(Failure::usage(format!(
                "{flag} must be at least 1, got `0`"
            )));
        }
    }
    limits::KV_CACHE_MIB.check(args.kv_cache_mib as u64)?;
    let kv_bytes = args.kv_cache_mib << 20;
    if args.num_kv_blocks.is_none() {
        limits::fits_in_memory("--kv-cache-mib", kv_bytes as u64)?;
    }
    Ok(LoadOptions {
        dtype: match args.dtype {
            DTypeArg::Auto => DType::Auto,
            DTypeArg::F32 => DType::F32,
            DTypeArg::Int8 => DType::Int8,
            DTypeArg::Int4 => DType::Int4,
        },
        threads,
        kv_blocks: args.num_kv_blocks,
        kv_bytes,
        kv_bytes_max: process::memory().unwrap_or(u64::MAX),
        context_tokens: args.max_model_len,
    })
}

/// What else names a model.
const OTHER_MODELS: &str = "--model takes a folder or a .gguf file, and random:tiny, random:gpt2 or \
                            random:tiny-bert need none";
/// What else names a tokenizer.
const OTHER_TOKENIZERS: &str = "a folder, a tokenizer.json and a .gguf file do as well";

/// Files that say how a model reads and writes texts.
const TEXT_FILES: [&str; 7] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
];

/// How a model counts tokens, by the flag's value: a built-in model's name, a path or a hub id. None of
/// its weights is read.
pub(crate) fn text(name: &str, environment: Environment<'_>) -> Result<ModelText, Failure> {
    let spec = text_spec(name, environment)?;
    ModelText::open(&spec).map_err(Failure::usage)
}

/// Where its files are, fetched where they are the hub's.
fn text_spec(name: &str, environment: Environment<'_>) -> Result<ModelSpec, Failure> {
    Ok(if name.starts_with("random:") || Path::new(name).exists() {
        ModelSpec::parse(name).map_err(Failure::usage)?
    } else {
        let files = resolve(
            name,
            &|file| TEXT_FILES.contains(&file),
            OTHER_TOKENIZERS,
            environment,
        )?;
        let folder = files.first().and_then(|file| file.parent());
        ModelSpec::Path(folder.unwrap_or(Path::new(".")).to_owned())
    })
}

/// The same of a model that turns texts into vectors.
pub(crate) fn encoder_text(name: &str, environment: Environment<'_>) -> Result<ModelText, Failure> {
    ModelText::open_encoder(&text_spec(name, environment)?).map_err(Failure::usage)
}

/// The folder that holds a hub model's files, fetched where they are not in the cache yet.
fn from_hub(id: &str, environment: Environment<'_>) -> Result<PathBuf, Failure> {
    let wanted = |name: &str| {
        // What sentence-transformers says of an encoder's vectors.
        let of_vectors = [
            "1_Pooling/config.json",
            "modules.json",
            "sentence_bert_config.json",
        ];
        // Weights of other formats lie beside, often twice as large; other subfolders hold variants.
        of_vectors.contains(&name)
            || !name.contains('/')
                && (name.ends_with(".safetensors")
                    || name.ends_with(".safetensors.index.json")
                    || TEXT_FILES.contains(&name))
    };
    let files = resolve(id, &wanted, OTHER_MODELS, environment)?;
    let configs = files.iter().filter(|file| file.ends_with("config.json"));
    // The model's own, not that of a part.
    let config = configs.min_by_key(|file| file.components().count());
    let folder = config.map(|file| file.parent().unwrap_or(Path::new(".")).to_owned());
    folder.ok_or_else(|| {
        Failure::failed(format!(
            "the hub's model {id} has no config.json; --model takes a .gguf file of it"
        ))
    })
}

/// Files of a model of the hub. `way_out` is what to do where it cannot be had.
fn resolve(
    id: &str,
    wanted: &dyn Fn(&str) -> bool,
    way_out: &str,
    environment: Environment<'_>,
) -> Result<Vec<PathBuf>, Failure> {
    let way_out = |error: &dyn std::error::Error| {
        Failure::failed(format!("cannot get the model {id}: {error}; {way_out}"))
    };
    let config = HubConfig::from_env(environment).map_err(|error| way_out(&error))?;
    let hub = Hub::new(config).map_err(|error| way_out(&error))?;
    let repo = Repo::new(RepoKind::Model, id).map_err(|error| way_out(&error))?;
    let mut told = String::new();
    let mut tell = |progress: hub::Progress| {
        if told != progress.file {
            progress.file.clone_into(&mut told);
            say(&format!("Fetching {} from the hub …", progress.file));
        }
    };
    hub.resolve(&repo, wanted, &mut tell)
        .map_err(|error| way_out(&error))
}

/// A tokenizer of its own: a file, a folder with one, or a hub id.
fn tokenizer(name: &str, environment: Environment<'_>) -> Result<Tokenizer, Failure> {
    let path = Path::new(name);
    let file = if path.is_dir() {
        path.join("tokenizer.json")
    } else if path.exists() {
        path.to_owned()
    } else {
        let files = resolve(
            name,
            &|file| file == "tokenizer.json",
            OTHER_TOKENIZERS,
            environment,
        )?;
        files.into_iter().next().ok_or_else(|| {
            Failure::failed(format!("--tokenizer-name {name} has no tokenizer.json"))
        })?
    };
    Tokenizer::from_file(&file).map_err(Failure::usage)
}

/// What was loaded, in a line.
pub(crate) fn words(name: &str, facts: &ModelFacts) -> String {
    format!(
        "{name}: {:.1} M parameters in {}, {:.1} MB; {} with {} threads.",
        facts.parameters as f64 / 1e6,
        facts.dtype,
        facts.weight_bytes as f64 / 1e6,
        facts.isa,
        facts.threads,
    )
}
