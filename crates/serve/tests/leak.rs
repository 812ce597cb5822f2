//! Nothing is lost however clients go away. Counts are those of the whole process, so this test has one of its own.

#[path = "serve/support.rs"]
mod support;

use engine::SchedulerConfig;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serve::{HttpLimits, ServeConfig, ServeHandle};
use std::collections::VecDeque;
use std::fs;
use std::time::Instant;
use support::{Client, Fake, completion, config, get, post, said, scheduler, server, until};

/// `SplitMix64`: a stream of numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

fn entries(folder: &str) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn resident_bytes() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn idle(server: &ServeHandle) {
    until("all is given back", || {
        let gauges = server.gauges();
        server.answers() == 0
            && (gauges.running, gauges.waiting, gauges.blocks_owned) == (0, 0, 0)
            && gauges.blocks_free + gauges.blocks_cached == gauges.blocks_total
    });
}

/// A client that goes away somewhere on its way.
fn disconnect(server: &ServeHandle, random: &mut Random) -> Option<Client> {
    let mut client = Client::connect(server.addr());
    let prompt = "p".repeat(1 + usize::try_from(random.below(200)).unwrap());
    let fields = match random.below(4) {
        0 => r#","stream":true,"n":3"#,
        1 => r#","stream":true,"stop":["ll at","zzz"]"#,
        2 => "",
        _ => r#","stream":true"#,
    };
    let tokens = 1 + random.below(200);
    let body = format!(r#"{{"prompt":"{prompt}","max_tokens":{tokens}{fields}}}"#);
    match random.below(6) {
        0 => drop(client.send(b"POST /v1/comple")),
        1 => {
            let _ =
                client.send(b"POST /v1/completions HTTP/1.1\r\nContent-Length: 50\r\n\r\n{\"pro");
        }
        2 => drop(client.post("/v1/completions", &body)),
        3 => {
            client.post("/v1/completions", &body);
            client.head();
        }
        4 => {
            client.post("/v1/completions", &body);
            if client.head().header("transfer-encoding").is_some() {
                // An empty chunk is the end; the connection stays open behind it.
                let some = 0..random.below(20);
                some.into_iter().any(|_| client.chunk().is_empty());
            }
        }
        _ => {
            // Goes away later, while others come.
            client.post("/v1/completions", &body);
            return Some(client);
        }
    }
    None
}

/// `count` clients that read nothing of long answers, and as many whose bodies never come to their end.
fn crowd(server: &ServeHandle, count: usize) -> Vec<Client> {
    let long = format!(r#"{{"prompt":"{}"}}"#, "ab ".repeat(100_000));
    let many = format!(
        r#"{{"prompt":"{}","max_tokens":400,"stream":true}}"#,
        "p".repeat(40)
    );
    let head = "POST /v1/completions HTTP/1.1\r\nHost: t\r\nContent-Length: 1900000\r\n\r\n";
    let partial = [head.as_bytes(), &vec![b' '; 1_000_000]].concat();
    let mut clients = Vec::new();
    for index in 0..count {
        let mut slow = Client::connect(server.addr());
        match index % 2 {
            0 => slow.post("/tokenize", &long),
            _ => slow.post("/v1/completions", &many),
        };
        let mut unfinished = Client::connect(server.addr());
        unfinished.send(&partial);
        clients.extend([slow, unfinished]);
    }
    clients
}

/// The most that was ever resident.
fn peak_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<usize>().unwrap() << 10
}

/// Bytes that all connections of the server may hold.
const HELD_BYTES_MAX: usize = 64 << 20;

#[test]
fn nothing_leaks_over_seeded_disconnects() {
    let nightly = std::env::var_os("RUN_NIGHTLY_TESTS").is_some();
    let (count, beside) = if nightly { (10_000, 200) } else { (500, 40) };
    let files = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: files
            .maximum
            .map_or(Some(4096), |most| Some(most.min(4096))),
        ..files
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let server = server(
        ServeConfig {
            scheduler: SchedulerConfig {
                blocks: 128,
                queue_max: 64,
                ..scheduler()
            },
            http: HttpLimits {
                held_bytes_max: HELD_BYTES_MAX,
                ..HttpLimits::default()
            },
            ..config()
        },
        Fake::default(),
    );
    let mut random = Random(20_261_123);
    let mut later = VecDeque::new();
    let mut disconnects = |count: usize| {
        for _ in 0..count {
            later.extend(disconnect(&server, &mut random));
            if later.len() > 12 {
                later.pop_front();
            }
        }
        later.clear();
        idle(&server);
    };
    disconnects(count / 5);
    until("connections end", || entries("/proc/self/fd") <= 32);
    let (fds, threads) = (entries("/proc/self/fd"), entries("/proc/self/task"));
    let bytes = resident_bytes();
    disconnects(count * 2 / 5);
    let grown = resident_bytes().saturating_sub(bytes);
    assert!(grown <= 5 << 20, "{grown} bytes more are resident");

    let held = crowd(&server, beside);
    let asked = Instant::now();
    assert_eq!(get(server.addr(), "/health").status, 200);
    let health = asked.elapsed();
    disconnects(count * 2 / 5);
    let peak = peak_bytes().saturating_sub(bytes);
    drop(held);
    idle(&server);
    until("descriptors are given back", || {
        entries("/proc/self/fd") <= fds + 2
    });
    // One more tokenises what is long, and ends when nothing was for a while.
    assert!((threads..=threads + 1).contains(&entries("/proc/self/task")));
    eprintln!(
        "{count} disconnects, two fifths of them beside {beside} slow readers and {beside} partial bodies: {fds} \
         descriptors, {threads} threads, {grown} bytes more without the crowd, {peak} at most with it; /health \
         answered in {health:?}"
    );
    // What the connections may hold, as much again for what is being made of it, and their own state.
    let most = 2 * HELD_BYTES_MAX + (16 << 20);
    assert!(peak <= most, "{peak} bytes were resident beside the rest");
    // It serves as before.
    let json = post(server.addr(), "/v1/completions", &completion("")).json();
    assert_eq!(json["choices"][0]["text"], said(1, 16));
}
