//! Our encoder beside sentence-transformers and onnxruntime on the same weights and texts, by turns: texts per second.

use anyhow::{Context, Result, bail};
use clap::Args;
use engine::{BatchLimits, Encoder, TextBatch, TextId, TextQueue};
use models::{DType, LoadOptions, Loaded, LoadedEncoder, ModelSpec};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

/// Tokens of one batch of ours: the program's default.
const TOKENS_MAX: usize = 2048;

#[derive(Debug, Args)]
pub(crate) struct EmbeddingArgs {
    /// The folder of the encoder that all of them compute
    #[arg(long)]
    model: PathBuf,
    /// Python of an environment with sentence-transformers, onnx and onnxruntime
    #[arg(long)]
    python: Option<PathBuf>,
    /// A text on each line; without it, the paragraphs of this repository's Markdown files
    #[arg(long)]
    texts: Option<PathBuf>,
    /// Texts of one call, one for each setting
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,256")]
    batches: Vec<usize>,
    /// Interleaved rounds
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Threads of each of them
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Our encoder as a child that is asked like the others.
#[derive(Debug, Args)]
pub(crate) struct OursArgs {
    model: PathBuf,
    texts: PathBuf,
    dtype: String,
    threads: usize,
}

/// One answer: how fast, and the first text's vector.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    texts_s: f64,
    first: Vec<f32>,
}

/// A program that answers a number of texts a call with an [`Answer`]; it waits between its turns.
struct Contender {
    name: &'static str,
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Contender {
    fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let ask = child.stdin.take().context("its input is a pipe")?;
        let answers = child.stdout.take().context("its output is a pipe")?;
        Ok(Contender {
            name,
            child,
            ask,
            answers: BufReader::new(answers),
        })
    }

    fn measure(&mut self, batch: usize) -> Result<Answer> {
        writeln!(self.ask, "{batch}").with_context(|| format!("{} has ended", self.name))?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("{} said `{line}`", self.name))
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prints a table of the medians, and the ratios of each round's pair.
pub(crate) fn run(args: &EmbeddingArgs) -> Result<()> {
    let texts = match &args.texts {
        Some(path) => std::fs::read_to_string(path)?
            .lines()
            .map(str::to_owned)
            .collect(),
        None => paragraphs()?,
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("texts.json");
    std::fs::write(&file, serde_json::to_vec(&texts)?)?;
    println!("{}", lengths(&load(&args.model, "f32", 1)?, &texts)?);
    let mut contenders = contenders(args, &file, folder.path())?;
    println!(
        "{} threads, medians of {} interleaved rounds\n\n{:>6} {:<22} {:>9} {:>10} {:>11} {:>10}",
        args.threads, args.rounds, "batch", "", "texts/s", "f32 ÷ it", "int8 ÷ it", "distance"
    );
    for &batch in &args.batches {
        let mut rates = vec![Vec::new(); contenders.len()];
        let mut firsts = Vec::new();
        for round in 0..args.rounds {
            for (contender, rates) in contenders.iter_mut().zip(&mut rates) {
                let answer = contender.measure(batch)?;
                rates.push(answer.texts_s);
                if round == 0 {
                    firsts.push(answer.first);
                }
            }
        }
        for (index, contender) in contenders.iter().enumerate() {
            let over = |ours: usize| {
                let pairs = rates[ours].iter().zip(&rates[index]);
                median(pairs.map(|(ours, theirs)| ours / theirs).collect())
            };
            println!(
                "{batch:>6} {:<22} {:>9.1} {:>10.2} {:>11.2} {:>10.1e}",
                contender.name,
                median(rates[index].clone()),
                over(0),
                over(1),
                distance(&firsts[0], &firsts[index]),
            );
        }
    }
    Ok(())
}

fn contenders(args: &EmbeddingArgs, texts: &Path, folder: &Path) -> Result<Vec<Contender>> {
    let threads = args.threads.to_string();
    let mut all = Vec::new();
    for (name, dtype) in [("ours f32", "f32"), ("ours int8", "int8")] {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["bench", "our-encoder"])
            .args([&args.model, texts])
            .args([dtype, &threads]);
        all.push(Contender::start(name, &mut command)?);
    }
    let Some(python) = &args.python else {
        println!("No peer: give --python for ratios.\n");
        return Ok(all);
    };
    for (name, engine) in [
        ("sentence-transformers", "sentence-transformers"),
        ("onnxruntime f32", "onnxruntime"),
        ("onnxruntime int8", "onnxruntime-int8"),
    ] {
        let mut command = Command::new(python);
        command
            .arg("tools/bench/embedding_bench.py")
            .args([&args.model, texts, folder])
            .args(["--engine", engine, "--threads", &threads]);
        let mut contender = Contender::start(name, &mut command)?;
        // The export of one is what the next one begins with.
        contender.measure(texts_max(args))?;
        all.push(contender);
    }
    Ok(all)
}

fn texts_max(args: &EmbeddingArgs) -> usize {
    args.batches.iter().copied().max().unwrap_or(1)
}

/// Paragraphs, items of lists and headings of this repository's Markdown, in an order that mixes their lengths.
fn paragraphs() -> Result<Vec<String>> {
    const COUNT: usize = 256;
    let mut found = Vec::new();
    let mut files = vec![PathBuf::from("README.md"), PathBuf::from("ARCHITECTURE.md")];
    files.extend([PathBuf::from("STYLE.md"), PathBuf::from("CHANGELOG.md")]);
    for entry in std::fs::read_dir("docs").context("run it from the repository's folder")? {
        files.push(entry?.path());
    }
    files.sort();
    for file in files {
        if file.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&file)?;
        let parts = text.split("\n\n").flat_map(|part| part.split("\n- "));
        let plain = parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
        found.extend(plain.filter(|part| !part.is_empty() && !part.contains("```")));
    }
    // By the tail of a product of their places: neighbours come apart, and every run has the same order.
    let mut order: Vec<(usize, String)> = found.into_iter().enumerate().collect();
    order.sort_by_key(|(place, _)| (place.wrapping_mul(2_654_435_761) % 65_536, *place));
    let texts = order.into_iter().map(|(_, text)| text);
    Ok(texts.take(COUNT).collect())
}

fn load(model: &Path, dtype: &str, threads: usize) -> Result<LoadedEncoder> {
    let options = LoadOptions {
        dtype: match dtype {
            "f32" => DType::F32,
            "int8" => DType::Int8,
            other => bail!("the numbers must be f32 or int8, got `{other}`"),
        },
        threads,
        kv_blocks: None,
        kv_bytes: 0,
        kv_bytes_max: 1 << 40,
        context_tokens: None,
    };
    let spec = ModelSpec::parse(&model.to_string_lossy())?;
    match models::load_any(&spec, &options)? {
        Loaded::Encoder(encoder) => Ok(*encoder),
        Loaded::Generator(model) => bail!("{} is no encoder", model.name),
    }
}

/// How long the texts are, in tokens.
fn lengths(encoder: &LoadedEncoder, texts: &[String]) -> Result<String> {
    let mut lengths = Vec::new();
    for text in texts {
        lengths.push(tokens(encoder, text)?.len());
    }
    lengths.sort_unstable();
    let at = |part: usize| lengths[(lengths.len() - 1) * part / 10];
    let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
    Ok(format!(
        "{} texts of {} to {} tokens, mean {mean:.1}, p10 {}, median {}, p90 {}",
        texts.len(),
        at(0),
        at(10),
        at(1),
        at(5),
        at(9),
    ))
}

fn tokens(encoder: &LoadedEncoder, text: &str) -> Result<Vec<u32>> {
    let most = encoder.encoder.text_tokens_max();
    Ok(encoder.tokenizer.encode_prompt_within(text, most)?)
}

/// Answers numbers on standard input, as `tools/bench/embedding_bench.py` does.
pub(crate) fn ours(args: &OursArgs) -> Result<()> {
    let mut encoder = load(&args.model, &args.dtype, args.threads)?;
    let texts: Vec<String> = serde_json::from_slice(&std::fs::read(&args.texts)?)?;
    encode(&mut encoder, &texts[..texts.len().min(32)])?;
    for line in std::io::stdin().lines() {
        let size: usize = line?.trim().parse()?;
        let begun = Instant::now();
        let mut first = Vec::new();
        for call in texts.chunks(size) {
            let vectors = encode(&mut encoder, call)?;
            if first.is_empty() {
                first.clone_from(&vectors[0]);
            }
        }
        let texts_s = texts.len() as f64 / begun.elapsed().as_secs_f64();
        println!("{}", serde_json::to_string(&Answer { texts_s, first })?);
    }
    Ok(())
}

/// Text to tokens to vectors, in the batches that the server makes.
fn encode(encoder: &mut LoadedEncoder, texts: &[String]) -> Result<Vec<Vec<f32>>> {
    let mut queue = TextQueue::new(BatchLimits {
        texts_max: 256,
        tokens_max: TOKENS_MAX,
    });
    for text in texts {
        queue.submit(tokens(encoder, text)?)?;
    }
    let width = encoder.encoder.dimensions();
    let mut batch = TextBatch::default();
    let (mut numbers, mut vectors) = (Vec::new(), vec![Vec::new(); texts.len()]);
    while queue.next_batch(&mut batch) {
        encoder.encoder.encode(&batch, &mut numbers)?;
        for (TextId(text), vector) in batch.texts.iter().zip(numbers.chunks_exact(width)) {
            vectors[usize::try_from(*text)?] = vector.to_vec();
        }
    }
    Ok(vectors)
}

/// 1 − cosine.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum()
    };
    1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    stats::quantile(&values, 0.5).unwrap_or(f64::NAN)
}
