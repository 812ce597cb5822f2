//! What the server says of itself while it is measured: its `/metrics`, about once a second.

use crate::{Clock, HeaderMap, Target, TcpConnector, TlsOptions, get, leave_time_to_receiving};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use trace::{Bucket, ServerSample};

/// From one look to the next, at least and at most: a server that works in step with the looks would show the same
/// moment of its step every time.
const PERIOD_MIN_MS: u64 = 500;
const PERIOD_MAX_MS: u64 = 1_500;
/// What a look may take.
const WITHIN: Duration = Duration::from_secs(2);

/// Looks at `/metrics` on a thread and connections of its own, from its start to its end.
pub struct Scraper {
    /// Closing it ends the thread.
    stop: Sender<()>,
    thread: JoinHandle<Vec<ServerSample>>,
}

impl Scraper {
    /// Takes a first look, and goes on; `None` where the server says nothing that is known here. `headers` are
    /// those of any request to it: who wants a key wants it here too.
    pub fn start(target: &Target, tls: &TlsOptions, headers: &HeaderMap) -> Option<Self> {
        let (stop, stopped) = channel();
        let (said, first) = channel();
        let (target, tls, headers) = (target.clone(), tls.clone(), headers.clone());
        let thread = std::thread::Builder::new()
            .name("server-metrics".to_owned())
            .spawn(move || scrape(&target, &tls, headers, &said, &stopped))
            .ok()?;
        let knows = first.recv_timeout(2 * WITHIN).unwrap_or(false);
        knows.then_some(Self { stop, thread })
    }

    /// Takes a last look; all that was seen, in order.
    pub fn finish(self) -> Vec<ServerSample> {
        let Self { stop, thread } = self;
        drop(stop);
        thread.join().unwrap_or_default()
    }
}

fn scrape(
    target: &Target,
    tls: &TlsOptions,
    headers: HeaderMap,
    said: &Sender<bool>,
    stopped: &Receiver<()>,
) -> Vec<ServerSample> {
    leave_time_to_receiving();
    let mut samples = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return samples;
    };
    let Ok(connector) = TcpConnector::probe(target, tls, WITHIN) else {
        return samples;
    };
    let path = format!("{}/metrics", target.base_path.trim_end_matches("/v1"));
    let look = |headers: HeaderMap| {
        let asking = get(&connector, &path, headers, WITHIN);
        let answer = tokio::task::LocalSet::new()
            .block_on(&runtime, asking)
            .ok()?;
        let text = String::from_utf8(answer.body).ok()?;
        (answer.status == 200).then(|| parse(&text)).flatten()
    };
    loop {
        let Some(mut sample) = look(headers.clone()) else {
            let _nobody = said.send(false);
            return samples;
        };
        sample.at = Clock::Monotonic.now();
        samples.push(sample);
        if samples.len() == 1 && said.send(true).is_err() {
            return samples;
        }
        let pause = pause(samples.len() as u64);
        if let Err(RecvTimeoutError::Disconnected) = stopped.recv_timeout(pause) {
            break;
        }
    }
    if let Some(mut sample) = look(headers) {
        sample.at = Clock::Monotonic.now();
        samples.push(sample);
    }
    samples
}

/// How long to wait before a look: spread evenly between the limits, by the golden ratio, so that a few looks already
/// lie well apart.
fn pause(look: u64) -> Duration {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let spread = u128::from(look.wrapping_mul(STEP)) * u128::from(PERIOD_MAX_MS - PERIOD_MIN_MS);
    let more = u64::try_from(spread >> 64).unwrap_or(0);
    Duration::from_millis(PERIOD_MIN_MS + more)
}

/// Parts of something, which do not add up over several engines.
const PARTS: [&str; 3] = [
    "vllm:kv_cache_usage_perc",
    "vllm:gpu_cache_usage_perc",
    "sglang:token_usage",
];

/// More bounds than this no server tells times by; a sample is kept about once a second.
const BUCKETS_MAX: usize = 256;

/// Where a number of a sample goes.
type Field = fn(&mut ServerSample) -> &mut Option<f64>;

/// The names of vLLM, of our engine, which speaks like it, and of `SGLang`.
const NAMES: [(&str, Field); 21] = [
    ("vllm:num_requests_running", |sample| &mut sample.running),
    ("sglang:num_running_reqs", |sample| &mut sample.running),
    ("vllm:num_requests_waiting", |sample| &mut sample.waiting),
    ("sglang:num_queue_reqs", |sample| &mut sample.waiting),
    ("vllm:kv_cache_usage_perc", |sample| &mut sample.kv_use),
    ("vllm:gpu_cache_usage_perc", |sample| &mut sample.kv_use),
    ("sglang:token_usage", |sample| &mut sample.kv_use),
    ("vllm:prefix_cache_queries", |sample| {
        &mut sample.prefix_queries
    }),
    ("vllm:gpu_prefix_cache_queries", |sample| {
        &mut sample.prefix_queries
    }),
    ("vllm:prefix_cache_hits", |sample| &mut sample.prefix_hits),
    ("vllm:gpu_prefix_cache_hits", |sample| {
        &mut sample.prefix_hits
    }),
    ("sglang:cached_tokens", |sample| &mut sample.prefix_hits),
    ("vllm:num_preemptions", |sample| &mut sample.preemptions),
    ("vllm:prompt_tokens", |sample| &mut sample.prompt_tokens),
    ("sglang:prompt_tokens", |sample| &mut sample.prompt_tokens),
    ("vllm:generation_tokens", |sample| {
        &mut sample.generation_tokens
    }),
    ("sglang:generation_tokens", |sample| {
        &mut sample.generation_tokens
    }),
    ("vllm:time_to_first_token_seconds_sum", |sample| {
        &mut sample.ttft_seconds
    }),
    ("vllm:time_to_first_token_seconds_count", |sample| {
        &mut sample.ttft_count
    }),
    ("sglang:time_to_first_token_seconds_sum", |sample| {
        &mut sample.ttft_seconds
    }),
    ("sglang:time_to_first_token_seconds_count", |sample| {
        &mut sample.ttft_count
    }),
];

/// Times to first token, by their upper bounds.
const TTFT_BUCKETS: [&str; 2] = [
    "vllm:time_to_first_token_seconds_bucket",
    "sglang:time_to_first_token_seconds_bucket",
];

/// The known numbers of Prometheus' text format, each the sum over what labels tell apart (of a part in use: the
/// largest); `None` where there is none of them.
pub(crate) fn parse(text: &str) -> Option<ServerSample> {
    let mut sample = ServerSample::default();
    let mut known = false;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let end = line.find(['{', ' ', '\t']).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        let name = name.strip_suffix("_total").unwrap_or(name);
        let Some(value) = value(rest) else { continue };
        if TTFT_BUCKETS.contains(&name) {
            add_bucket(&mut sample.ttft_buckets, rest, value);
        } else if let Some((_, field)) = NAMES.iter().find(|(known, _)| *known == name) {
            let field = field(&mut sample);
            *field = Some(match *field {
                Some(part) if PARTS.contains(&name) => part.max(value),
                Some(sum) => sum_of(sum, value),
                None => value,
            });
            known = true;
        }
    }
    let by_bound = |a: &Bucket, b: &Bucket| a.up_to.total_cmp(&b.up_to);
    sample.ttft_buckets.sort_by(by_bound);
    known.then_some(sample)
}

/// Labels may hold spaces and braces in quotes; the value stands after the last of them.
fn value(rest: &str) -> Option<f64> {
    let value = rest.rsplit_once('}').map_or(rest, |(_, value)| value);
    let value = value.split_whitespace().next()?.parse::<f64>().ok();
    value.filter(|value| value.is_finite())
}

/// Two finite numbers whose sum is beyond all of them give the largest: no file of records has a word for more.
fn sum_of(one: f64, other: f64) -> f64 {
    (one + other).clamp(f64::MIN, f64::MAX)
}

/// Adds to the bucket whose bound is in the labels; the last of them, without a bound, is the count.
fn add_bucket(buckets: &mut Vec<Bucket>, labels: &str, count: f64) {
    let mut starts = ["{le=\"", ",le=\""].into_iter();
    let bound = starts.find_map(|start| {
        let (_, rest) = labels.split_once(start)?;
        let (bound, _) = rest.split_once('"')?;
        bound.parse::<f64>().ok()
    });
    let Some(up_to) = bound.filter(|bound| bound.is_finite()) else {
        return;
    };
    let is_it = |bucket: &Bucket| bucket.up_to.total_cmp(&up_to).is_eq();
    if let Some(place) = buckets.iter().position(is_it) {
        buckets[place].count = sum_of(buckets[place].count, count);
    } else if buckets.len() < BUCKETS_MAX {
        buckets.push(Bucket { up_to, count });
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, pause};
    use trace::Bucket;

    #[test]
    fn looks_are_about_a_second_apart_and_keep_no_beat() {
        let pauses: Vec<u128> = (1..=100).map(|look| pause(look).as_millis()).collect();
        assert!(pauses.iter().all(|pause| (500..1_500).contains(pause)));
        let mean = pauses.iter().sum::<u128>() / 100;
        assert!((950..1_050).contains(&mean), "{mean}");
        // Looks by their moment within each second: none of ten parts is left out, or has most of them.
        let moments = pauses.iter().scan(0, |at, pause| {
            *at += pause;
            Some(*at % 1_000 / 100)
        });
        let mut parts = [0; 10];
        moments.for_each(|part| parts[usize::try_from(part).unwrap()] += 1);
        assert!(
            parts.iter().all(|&count| (3..=25).contains(&count)),
            "{parts:?}"
        );
    }

    #[test]
    fn the_numbers_of_the_known_servers_are_found_whatever_their_labels() {
        let text = "# HELP vllm:num_requests_running x\n# TYPE vllm:num_requests_running gauge\n\
            vllm:num_requests_running{model_name=\"a b} c\"} 3.0\n\
            vllm:prefix_cache_hits_total{model_name=\"m\"} 40\n\
            vllm:generation_tokens_total{engine=\"0\"} 10\nvllm:generation_tokens_total{engine=\"1\"} 5 1700000000\n\
            vllm:time_to_first_token_seconds_sum 1.5\nvllm:time_to_first_token_seconds_bucket{le=\"1\"} 7\n\
            other 9\nvllm:num_requests_waiting NaN\n";
        let sample = parse(text).unwrap();
        assert_eq!(sample.running, Some(3.0));
        assert_eq!(sample.prefix_hits, Some(40.0));
        assert_eq!(sample.generation_tokens, Some(15.0));
        assert_eq!(sample.ttft_seconds, Some(1.5));
        assert_eq!(sample.waiting, None);
        let seven = Bucket {
            up_to: 1.0,
            count: 7.0,
        };
        assert_eq!(sample.ttft_buckets, [seven]);
        let sglang = parse(
            "sglang:num_running_reqs{x=\"y\"} 2\nsglang:token_usage 0.25\n\
             sglang:time_to_first_token_seconds_sum 3.0\nsglang:time_to_first_token_seconds_count 4\n",
        )
        .unwrap();
        assert_eq!((sglang.running, sglang.kv_use), (Some(2.0), Some(0.25)));
        assert_eq!(sglang.ttft_seconds.zip(sglang.ttft_count), Some((3.0, 4.0)));
    }

    #[test]
    fn engines_of_one_server_share_a_histogram_and_not_a_memory() {
        let bucket = "vllm:time_to_first_token_seconds_bucket";
        let text = format!(
            "vllm:kv_cache_usage_perc{{engine=\"0\"}} 0.5\nvllm:kv_cache_usage_perc{{engine=\"1\"}} 0.75\n\
             {bucket}{{role=\"x\",le=\"0.5\"}} 9\n{bucket}{{engine=\"0\",le=\"0.25\"}} 4\n\
             {bucket}{{engine=\"1\",le=\"0.25\"}} 1\n{bucket}{{engine=\"0\",le=\"+Inf\"}} 9\n"
        );
        let sample = parse(&text).unwrap();
        assert_eq!(sample.kv_use, Some(0.75));
        let buckets = [(0.25, 5.0), (0.5, 9.0)].map(|(up_to, count)| Bucket { up_to, count });
        assert_eq!(sample.ttft_buckets, buckets);
    }

    #[test]
    fn a_page_of_endless_bounds_is_kept_no_longer_than_any_honest_one() {
        let bound =
            |bound| format!("vllm:time_to_first_token_seconds_bucket{{le=\"{bound}\"}} 1\n");
        let page: String = (1..=10_000).map(bound).collect();
        let sample = parse(&format!("vllm:num_requests_running 1\n{page}")).unwrap();
        assert_eq!(sample.ttft_buckets.len(), super::BUCKETS_MAX);
    }

    #[test]
    fn numbers_whose_sum_is_beyond_all_numbers_stay_numbers() {
        let bucket = "vllm:time_to_first_token_seconds_bucket{le=\"1\"} 1e308";
        let running = "vllm:num_requests_running 1e308";
        let sample = parse(&[running, running, bucket, bucket].join("\n")).unwrap();
        assert_eq!(sample.running, Some(f64::MAX));
        let count = Some(sample.ttft_buckets[0].count);
        assert_eq!(count, Some(f64::MAX));
        let negative = running.replace("1e308", "-1e308");
        let sample = parse(&[&*negative, &negative].join("\n")).unwrap();
        assert_eq!(sample.running, Some(f64::MIN));
    }

    #[test]
    fn what_says_nothing_known_is_none() {
        for text in [
            "",
            "<html>",
            "up 1\n",
            "vllm:num_requests_running\n",
            "vllm:num_requests_running x",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
