//! What was typed, made sense of: checked values, files read, the environment asked.

mod arrivals;
mod classes;
mod embedding;
pub(crate) mod json_size;
pub(crate) mod limits;
mod load;
mod request;
mod secrets;
mod server;
mod texts;
mod traffic;
mod variants;
mod words;

pub(crate) use self::embedding::EmbeddingConfig;
pub(crate) use self::load::{Load, Point, TypedLoad, list};
pub(crate) use self::request::{Fields, RequestConfig};
pub(crate) use self::secrets::Secrets;
pub(crate) use self::server::{ServerChoice, USUAL_API_BASE};
pub(crate) use self::traffic::TrafficConfig;
pub(crate) use self::words::words;

use self::request::patched_model;
use crate::args::{AssertArgs, ChatArgs, ExportFormat, OutputFormat, RecordsFormat};
use crate::builtin::BuiltIn;
use crate::failure::Failure;
use ::load::{Deadlines, Target, TlsOptions};
use openai::Endpoint;
use stats::{Assertion, Precision};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use trace::{Nanos, Pacing, Slo};

/// A chat benchmark, resolved.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct ChatConfig {
    pub(crate) server: ServerChoice,
    /// Its name in the API, where it was said.
    pub(crate) model: Option<String>,
    pub(crate) endpoint: Endpoint,
    pub(crate) api_key: Option<Secret>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) tls: TlsOptions,
    pub(crate) load: Load,
    /// What the requests are.
    pub(crate) traffic: TrafficConfig,
    pub(crate) request: RequestConfig,
    pub(crate) deadlines: Deadlines,
    pub(crate) keep_alive: bool,
    pub(crate) slo: Option<Slo>,
    pub(crate) output: OutputConfig,
    pub(crate) dry_run: bool,
    /// Whether the server's own numbers are looked at.
    pub(crate) server_metrics: bool,
    /// Whether the client is held against a known provider after the run.
    pub(crate) certify: bool,
    pub(crate) description: Option<String>,
}

/// Where results go.
pub(crate) struct OutputConfig {
    pub(crate) results_file: Option<PathBuf>,
    pub(crate) records: RecordsFormat,
    pub(crate) plot: bool,
    pub(crate) format: OutputFormat,
    /// Whether the summary is printed in that format.
    pub(crate) prints: bool,
    /// Whether anything is written or said at all.
    pub(crate) keeps: bool,
    pub(crate) file: Option<PathBuf>,
    /// What the numbers must keep.
    pub(crate) assertions: Vec<Assertion>,
    /// Formats of others.
    pub(crate) exports: Vec<ExportFormat>,
    /// How precise they have to become.
    pub(crate) precision: Vec<Precision>,
}

/// A key: it goes to the server and nowhere else.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[a key]")
    }
}

/// The key and the values of the user's headers.
pub(crate) fn secrets(key: Option<&Secret>, headers: &[(String, String)]) -> Secrets {
    let key = key.map(|key| key.expose().to_owned());
    let headers = headers.iter().flat_map(|(_, value)| {
        // `Bearer sk-…`: the key is the last word.
        [Some(value.as_str()), value.split_whitespace().last()]
    });
    let headers = headers.flatten().map(str::to_owned);
    Secrets::of(key.into_iter().chain(headers))
}

impl ChatConfig {
    /// Checks what was typed. `environment` looks up a variable.
    pub(crate) fn resolve(
        args: ChatArgs,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        for (flag, text) in [
            ("--model", &args.model),
            ("--description", &args.description),
        ] {
            refuse_control_characters(flag, text.as_deref())?;
        }
        let server = ServerChoice::resolve(
            args.api_base.as_deref(),
            args.model.as_deref(),
            args.endpoint.as_deref(),
            BuiltIn::MODEL,
            environment,
        )?;
        let endpoint = endpoint(args.endpoint.as_deref(), server.route)?;
        refuse_responses(&args, endpoint, server.target.is_some())?;
        let request = RequestConfig::resolve(&args, endpoint)?;
        let mut traffic = TrafficConfig::resolve(
            &args,
            &request,
            endpoint,
            server.built_in.as_deref(),
            environment,
        )?;
        let rates = args.request_rate.as_deref();
        let arrivals = match traffic.replay.take() {
            Some(replay) => vec![replay],
            None => arrivals::named_arrivals(&args.arrivals, rates, args.burstiness)?,
        };
        let load = Load::resolve(&TypedLoad {
            batch_sizes: args.batch_sizes.as_deref(),
            batch_sizes_default: "1,2,4,8",
            max_concurrency: args.max_concurrency.as_deref(),
            request_rate: rates,
            arrivals,
            burstiness: args.burstiness,
            num_prompts: args.num_prompts,
            duration: args.duration,
            until: !args.until.is_empty(),
            num_runs: args.num_runs,
            warmup_runs: args.warmup_runs,
            seed: args.seed,
        })?;
        let follows = args.sessions.turns.is_some() || args.sessions.tool_loop.is_some();
        if follows && matches!(load.points[0].info.pacing, Pacing::Burst { .. }) {
            return Err(Failure::usage(
                "--turns and --tool-loop need a load that goes on, because a conversation outlasts a \
                 batch; add --max-concurrency N or --request-rate R",
            ));
        }
        Ok(ChatConfig {
            endpoint,
            api_key: api_key(
                args.api_key.as_deref(),
                args.api_key_file.as_deref(),
                server.target.is_some(),
                environment,
            )?,
            headers: headers(&args.headers)?,
            tls: tls(args.ca_cert.as_deref())?,
            traffic,
            deadlines: deadlines(&args)?,
            keep_alive: !args.no_keep_alive,
            slo: slo(&args.goodput, request.stream)?,
            output: OutputConfig {
                assertions: assertions(args.thresholds, &load)?,
                exports: args.exports.export,
                precision: args.until,
                results_file: args.results_file,
                records: args.records,
                plot: !args.no_plot,
                format: args.output_format,
                prints: true,
                keeps: true,
                file: args.output,
            },
            load,
            dry_run: args.dry_run,
            certify: args.certify,
            server_metrics: !args.no_server_metrics,
            description: args.description,
            model: patched_model(&request.patch)?.or_else(|| server.asked_model(args.model)),
            request,
            server,
        })
    }
}

/// The route that was typed, else the one that the URL ended with.
fn endpoint(typed: Option<&str>, route: Option<&str>) -> Result<Endpoint, Failure> {
    match (typed, route) {
        (Some(typed), _) => Endpoint::from_str(typed).map_err(Failure::usage),
        (None, Some(route @ ("/embeddings" | "/score" | "/rerank"))) => {
            Err(Failure::usage(format!(
                "--api-base ends in {route}, which writes no text; measure it with `tokenomics embedding`"
            )))
        }
        (None, Some(route)) => Ok(Endpoint::from_str(route).unwrap_or_default()),
        (None, None) => Ok(Endpoint::default()),
    }
}

/// Refuses an assertion about a point that is not measured.
fn assertions(thresholds: AssertArgs, load: &Load) -> Result<Vec<Assertion>, Failure> {
    let keys: Vec<&str> = load
        .points
        .iter()
        .map(|point| point.info.key.as_str())
        .collect();
    let unknown =
        |assertion: &&Assertion| assertion.point().is_some_and(|key| !keys.contains(&key));
    match thresholds.assertions.iter().find(unknown) {
        Some(assertion) => Err(Failure::usage(format!(
            "--assert speaks of the point `{}`, which is not measured; there are {}",
            assertion.point().unwrap_or_default(),
            keys.join(", ")
        ))),
        None => Ok(thresholds.assertions),
    }
}

pub(crate) fn refuse_control_characters(flag: &str, text: Option<&str>) -> Result<(), Failure> {
    match text.and_then(|text| text.chars().find(|c| c.is_control())) {
        Some(found) => Err(Failure::usage(format!(
            "{flag} holds the control character U+{:04X}; leave it out",
            u32::from(found)
        ))),
        None => Ok(()),
    }
}

fn tls(ca_cert: Option<&Path>) -> Result<TlsOptions, Failure> {
    let extra_roots_pem = ca_cert.map(|path| read("--ca-cert", path)).transpose()?;
    Ok(TlsOptions { extra_roots_pem })
}

/// A span given in seconds, as nanoseconds above 0.
fn positive(flag: &str, unit: &str, value: f64) -> Result<u64, Failure> {
    /// Longer than any benchmark.
    const LIMIT: f64 = 1e7;
    if value > 0.0 && value <= LIMIT {
        Ok(Nanos::from_seconds(value).0.max(1))
    } else {
        Err(Failure::usage(format!(
            "{flag} must be above 0 and at most {LIMIT} {unit}, got `{value}`"
        )))
    }
}

fn deadlines(args: &ChatArgs) -> Result<Deadlines, Failure> {
    let span = |flag, seconds| positive(flag, "seconds", seconds).map(Duration::from_nanos);
    let total = span("--timeout", args.timeout)?;
    Ok(Deadlines {
        connect: span("--connect-timeout", args.connect_timeout)?,
        first_token: match args.first_token_timeout {
            None => total,
            Some(seconds) => span("--first-token-timeout", seconds)?,
        },
        stall: span("--stall-timeout", args.stall_timeout)?,
        total,
    })
}

/// What every request will carry: whatever HTTP cannot carry is refused here, before anything is shown or sent.
fn check_sendable(key: Option<&str>, headers: &[(String, String)]) -> Result<(), Failure> {
    let anywhere = Target::parse(USUAL_API_BASE).map_err(Failure::usage)?;
    let made = ::load::request_headers(&anywhere, true, key, headers);
    made.map(drop).map_err(Failure::usage)
}

fn headers(typed: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let headers: Result<Vec<(String, String)>, Failure> = typed
        .iter()
        .map(|header| {
            let (name, value) = header.split_once(':').ok_or_else(|| {
                Failure::usage("--header must be a name and a value: write it like 'X-Team: infra'")
            })?;
            Ok((name.trim().to_owned(), value.trim_matches(' ').to_owned()))
        })
        .collect();
    let headers = headers?;
    check_sendable(None, &headers)?;
    Ok(headers)
}

fn slo(objectives: &[String], stream: bool) -> Result<Option<Slo>, Failure> {
    if objectives.is_empty() {
        return Ok(None);
    }
    let mut slo = Slo::default();
    for objective in objectives {
        let refuse = || {
            Failure::usage(format!(
                "--goodput takes ttft:MS, tpot:MS and e2e:MS with milliseconds above 0, \
                 got `{objective}`"
            ))
        };
        let (name, bound) = objective.split_once(':').ok_or_else(refuse)?;
        let bound: f64 = bound.parse().map_err(|_| refuse())?;
        if !(bound > 0.0 && bound.is_finite()) {
            return Err(refuse());
        }
        let place = match name {
            "ttft" => &mut slo.ttft_ms,
            "tpot" => &mut slo.tpot_ms,
            "e2e" | "e2el" => &mut slo.e2e_ms,
            _ => return Err(refuse()),
        };
        *place = Some(bound);
    }
    if !stream && (slo.ttft_ms.is_some() || slo.tpot_ms.is_some()) {
        return Err(Failure::usage(
            "--goodput with ttft or tpot needs streams, and --no-stream (or `stream` in --extra-body) asks for none; \
             leave one of the two out",
        ));
    }
    Ok(Some(slo))
}

/// The key that was typed, or the file's, or the environment's; the built-in server gets none.
fn api_key(
    typed: Option<&str>,
    file: Option<&Path>,
    has_target: bool,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<Option<Secret>, Failure> {
    let typed = key(typed, file)?;
    let from_environment = || environment("OPENAI_API_KEY").filter(|key| !key.is_empty());
    if typed.is_some() || !has_target {
        return Ok(typed);
    }
    let key = from_environment();
    check_sendable(key.as_deref(), &[])?;
    Ok(key.map(Secret))
}

/// A key that was typed, or that a file holds.
pub(crate) fn key(typed: Option<&str>, file: Option<&Path>) -> Result<Option<Secret>, Failure> {
    let key = match (typed, file) {
        (Some(key), _) => Some(key.to_owned()),
        (None, Some(path)) => {
            let bytes = read("--api-key-file", path)?;
            let text = String::from_utf8(bytes).map_err(|_| {
                Failure::usage(format!("--api-key-file {} is not text", path.display()))
            })?;
            Some(text.trim().to_owned())
        }
        (None, None) => None,
    };
    let key = key.filter(|key| !key.is_empty());
    check_sendable(key.as_deref(), &[])?;
    Ok(key.map(Secret))
}

/// What `/responses` does not go with.
fn refuse_responses(args: &ChatArgs, endpoint: Endpoint, has_target: bool) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::usage(format!("--endpoint {endpoint} {why}")));
    if endpoint != Endpoint::Responses {
        Ok(())
    } else if !has_target && args.launch.is_none() {
        refuse("is no route of the built-in server; name a server that has it with --api-base")
    } else if args.sessions.tool_loop.is_some() {
        refuse("brings results to tools otherwise than --tool-loop does; leave one of the two out")
    } else if args.n > 1 {
        refuse("gives one answer to a request; leave out --n")
    } else {
        Ok(())
    }
}

/// Reads a file that a flag names; a pipe too, and nothing that has no end. A description in JSON whose values would take
/// more memory than there is is refused before it is parsed.
pub(crate) fn read(flag: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    read_bounded(path).map_err(|error| {
        Failure::usage(format!(
            "cannot read {flag} {}: {error}; check the path",
            path.display()
        ))
    })
}

/// Memory for what is made of a file: what is left, but for an eighth of it.
pub(crate) fn memory_left() -> u64 {
    let left = process::memory_left().unwrap_or(u64::MAX);
    left - left / 8
}

/// The same, for who has words of its own for what went wrong.
pub(crate) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let most = READ_MAX.min(process::memory().unwrap_or(u64::MAX) / 4);
    // Bytes that grow are in memory twice for a moment.
    let most = most.min(memory_left() / 2);
    let bytes = read_at_most(path, most)?;
    json_size::check(&bytes, memory_left()).map_err(io::Error::other)?;
    Ok(bytes)
}

/// The same, as text.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_bounded(path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// No file that a benchmark reads is larger.
const READ_MAX: u64 = 16 << 30;

/// Whoever types into a terminal types less, and another device of characters has no end, or nothing.
const DEVICE_READ_MAX: u64 = 1 << 20;

fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let found = file.metadata()?;
    let is_device = found.file_type().is_char_device();
    let most = if is_device {
        most.min(DEVICE_READ_MAX)
    } else {
        most
    };
    let what = if is_device {
        "it is a device, and"
    } else {
        "it"
    };
    let too_long = || io::Error::other(format!("{what} has more than {} MiB", most >> 20));
    if found.len() > most {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    // Of a file whose length is known no byte is copied twice.
    bytes
        .try_reserve_exact(usize::try_from(found.len()).unwrap_or(0))
        .map_err(|_| too_long())?;
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_long());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::read_at_most;
    use std::path::Path;

    #[test]
    fn bad_input_51_a_file_without_end_is_read_to_a_limit_and_refused() {
        let error = read_at_most(Path::new("/dev/zero"), 3 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it is a device, and has more than 1 MiB");
        assert!(
            read_at_most(Path::new("/dev/null"), 3 << 20)
                .unwrap()
                .is_empty()
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len((3 << 20) + 1).unwrap();
        let error = read_at_most(file.path(), 3 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 3 MiB");
    }
}
