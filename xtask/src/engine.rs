//! Our engine beside others on the same weights, by turns: tokens per second of prefill and decode.

use anyhow::{Context, Result, bail};
use clap::Args;
use engine::{Engine, EngineEvent, EngineRequest, RequestId, SamplingParams, SchedulerConfig};
use models::{DType, LoadOptions, ModelSpec};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;
use trace::Nanos;

#[derive(Debug, Args)]
pub(crate) struct EngineArgs {
    /// The GGUF file (or folder) that all of them compute
    #[arg(long)]
    model: PathBuf,
    /// How ours computes it: auto, f32, int8, int4
    #[arg(long, default_value = "auto")]
    dtype: String,
    /// Python of an environment with llama-cpp-python
    #[arg(long)]
    llama_python: Option<PathBuf>,
    /// Python of an environment with torch and transformers: GPT-2 in f32
    #[arg(long)]
    torch_python: Option<PathBuf>,
    /// Interleaved rounds
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Threads of each of them
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Batch:prompt:tokens, one for each setting
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1:32:64,8:32:32,16:32:32,32:32:32,8:512:16,1:512:4"
    )]
    settings: Vec<Setting>,
}

/// How many sequences, of how many prompt tokens, and how many tokens each is gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Setting {
    batch: usize,
    prompt: usize,
    generated: usize,
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<usize>, _> = text.split(':').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[batch, prompt, generated]) if batch * prompt * generated > 0 => Ok(Setting {
                batch,
                prompt,
                generated,
            }),
            _ => Err(format!(
                "`{text}` is not batch:prompt:tokens, such as 8:32:64"
            )),
        }
    }
}

/// One line of a program under test.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Rates {
    prefill_tok_s: f64,
    decode_tok_s: f64,
}

/// One measurement of ours, in a process of its own: what [`run`] starts.
#[derive(Debug, Args)]
pub(crate) struct OursArgs {
    model: PathBuf,
    dtype: String,
    threads: usize,
    setting: Setting,
}

/// Prints a table of the medians and the ratios of each round's pair.
pub(crate) fn run(args: &EngineArgs) -> Result<()> {
    let peers = peers(args);
    if peers.is_empty() {
        println!("No peer: give --llama-python or --torch-python for ratios.\n");
    }
    println!(
        "{} ({}), {} threads, medians of {} interleaved rounds; tokens/s",
        args.model.display(),
        args.dtype,
        args.threads,
        args.rounds
    );
    println!(
        "{:>16} {:>24} {:>10} {:>10} {:>18}",
        "batch:context", "", "prefill", "decode", "ours ÷ it (p, d)"
    );
    for &setting in &args.settings {
        let mut all: BTreeMap<&str, Vec<Rates>> = BTreeMap::new();
        for _ in 0..args.rounds {
            all.entry("ours")
                .or_default()
                .push(ours_in_child(args, setting)?);
            for peer in &peers {
                all.entry(peer.name)
                    .or_default()
                    .push(peer.measure(args, setting)?);
            }
        }
        let ours = all["ours"].clone();
        for (name, rates) in &all {
            let ratio = |of: fn(&Rates) -> f64| {
                median(ours.iter().zip(rates).map(|(a, b)| of(a) / of(b)).collect())
            };
            println!(
                "{:>16} {name:>24} {:>10.1} {:>10.1} {:>9.2} {:>8.2}",
                format!("{}:{}", setting.batch, setting.prompt),
                median(rates.iter().map(|r| r.prefill_tok_s).collect()),
                median(rates.iter().map(|r| r.decode_tok_s).collect()),
                ratio(|r| r.prefill_tok_s),
                ratio(|r| r.decode_tok_s),
            );
        }
    }
    Ok(())
}

/// Another engine, behind a script that prints one line of [`Rates`].
struct Peer {
    name: &'static str,
    python: PathBuf,
    script: &'static str,
    flags: &'static [&'static str],
}

fn peers(args: &EngineArgs) -> Vec<Peer> {
    let mut peers = Vec::new();
    if let Some(python) = &args.llama_python {
        for (name, flags) in [
            ("llama.cpp -fa off", &["--flash-attention", "off"] as &[_]),
            ("llama.cpp -fa on", &["--flash-attention", "on"]),
        ] {
            peers.push(Peer {
                name,
                python: python.clone(),
                script: "tools/bench/llama_cpp_bench.py",
                flags,
            });
        }
    }
    if let Some(python) = &args.torch_python {
        peers.push(Peer {
            name: "torch f32",
            python: python.clone(),
            script: "tools/bench/torch_gpt2_bench.py",
            flags: &[],
        });
    }
    peers
}

impl Peer {
    fn measure(&self, args: &EngineArgs, setting: Setting) -> Result<Rates> {
        let mut command = Command::new(&self.python);
        command
            .arg(self.script)
            .arg(&args.model)
            .args(["--batch", &setting.batch.to_string()])
            .args(["--prompt", &setting.prompt.to_string()])
            .args(["--gen", &setting.generated.to_string()])
            .args(["--threads", &args.threads.to_string()])
            .args(self.flags);
        rates(command, self.name)
    }
}

fn ours_in_child(args: &EngineArgs, setting: Setting) -> Result<Rates> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["bench", "ours"])
        .arg(&args.model)
        .arg(&args.dtype)
        .arg(args.threads.to_string())
        .arg(format!(
            "{}:{}:{}",
            setting.batch, setting.prompt, setting.generated
        ));
    rates(command, "ours")
}

/// The last line that a program prints, as rates.
fn rates(mut command: Command, name: &str) -> Result<Rates> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let line = text
        .lines()
        .last()
        .with_context(|| format!("{name} printed nothing"))?;
    serde_json::from_str(line).with_context(|| format!("{name} printed `{line}`"))
}

/// Measures ours and prints a line.
pub(crate) fn ours(args: &OursArgs) -> Result<()> {
    let dtype = match args.dtype.as_str() {
        "auto" => DType::Auto,
        "f32" => DType::F32,
        "int8" => DType::Int8,
        "int4" => DType::Int4,
        other => bail!("--dtype must be auto, f32, int8 or int4, got `{other}`"),
    };
    let Setting {
        batch,
        prompt,
        generated,
    } = args.setting;
    let context = (prompt + generated).next_multiple_of(engine::BLOCK_TOKENS);
    let options = LoadOptions {
        dtype,
        threads: args.threads,
        kv_blocks: Some((batch + 1) * (context / engine::BLOCK_TOKENS + 1)),
        kv_bytes: 0,
        kv_bytes_max: 1 << 40,
        context_tokens: None,
    };
    let spec = ModelSpec::parse(&args.model.to_string_lossy())?;
    let model = models::load(&spec, &options)?;
    let limits = SchedulerConfig {
        blocks: engine::Model::blocks(&model.model),
        sequences_max: batch,
        step_tokens_max: 2048,
        queue_max: usize::MAX,
        context_tokens: engine::Model::context_tokens(&model.model),
        prefix_cache: false,
    };
    let vocab = engine::Model::vocab_size(&model.model);
    let mut engine = Engine::new(model.model, limits);
    // The first run warms caches and threads up, as that of the peers does.
    measure(&mut engine, 1, prompt.min(64), 8, vocab)?;
    let rates = measure(&mut engine, batch, prompt, generated, vocab)?;
    println!("{}", serde_json::to_string(&rates)?);
    Ok(())
}

/// Prefill until every sequence has its first token, then `generated` steps of decode.
fn measure<M: engine::Model>(
    engine: &mut Engine<M>,
    batch: usize,
    prompt: usize,
    generated: usize,
    vocab: usize,
) -> Result<Rates> {
    let token = |salt: usize| u32::try_from(100 + salt * 7919 % (vocab - 200)).unwrap_or(100);
    for sequence in 0..batch {
        let request = EngineRequest {
            prompt: (0..prompt)
                .map(|at| token(sequence * 1009 + at * 31 + 7))
                .collect(),
            params: SamplingParams {
                temperature: 0.0,
                tokens_max: generated + 1,
                ignore_eos: true,
                ..SamplingParams::default()
            },
        };
        engine.submit(request, Nanos::ZERO)?;
    }
    let mut events = Vec::new();
    let mut begun_answers = HashSet::new();
    let mut tokens = 0;
    let begun = Instant::now();
    while begun_answers.len() < batch {
        tokens += step(engine, &mut events, &mut begun_answers)?;
    }
    let filled = Instant::now();
    let left = batch * (generated + 1) - tokens;
    while engine.has_work() {
        step(engine, &mut events, &mut begun_answers)?;
    }
    Ok(Rates {
        prefill_tok_s: (batch * prompt) as f64 / (filled - begun).as_secs_f64(),
        decode_tok_s: left as f64 / filled.elapsed().as_secs_f64(),
    })
}

/// One step; how many tokens it gave, and whose.
fn step<M: engine::Model>(
    engine: &mut Engine<M>,
    events: &mut Vec<EngineEvent>,
    answers: &mut HashSet<RequestId>,
) -> Result<usize> {
    engine.step(Nanos::ZERO, events)?;
    let requests = events.drain(..).filter_map(|event| match event {
        EngineEvent::Token { request, .. } => Some(request),
        _ => None,
    });
    let mut tokens = 0;
    for request in requests {
        tokens += 1;
        answers.insert(request);
    }
    Ok(tokens)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    stats::quantile(&values, 0.5).unwrap_or(f64::NAN)
}
