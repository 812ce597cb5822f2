//! Nothing is lost however clients go away. Counts are those of the whole process, so this test has one of its own.

#[path = "serve/support.rs"]
mod support;

use engine::SchedulerConfig;
use serve::{ServeConfig, ServeHandle};
use std::collections::VecDeque;
use std::fs;
use support::{Client, Fake, completion, config, post, said, scheduler, server, until};

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

#[test]
fn nothing_leaks_over_seeded_disconnects() {
    let nightly = std::env::var_os("RUN_NIGHTLY_TESTS").is_some();
    let count = if nightly { 10_000 } else { 500 };
    let server = server(
        ServeConfig {
            scheduler: SchedulerConfig {
                blocks: 128,
                queue_max: 64,
                ..scheduler()
            },
            ..config()
        },
        Fake::default(),
    );
    let mut random = Random(20_261_123);
    let mut later = VecDeque::new();
    let mut first = None;
    for index in 0..count {
        later.extend(disconnect(&server, &mut random));
        if later.len() > 12 {
            later.pop_front();
        }
        if index == count / 5 {
            later.clear();
            idle(&server);
            until("connections end", || entries("/proc/self/fd") <= 32);
            first = Some((
                entries("/proc/self/fd"),
                entries("/proc/self/task"),
                resident_bytes(),
            ));
        }
    }
    later.clear();
    idle(&server);
    let (fds, threads, bytes) = first.expect("a fifth is there");
    until("descriptors are given back", || {
        entries("/proc/self/fd") <= fds + 2
    });
    assert_eq!(entries("/proc/self/task"), threads);
    let grown = resident_bytes().saturating_sub(bytes);
    eprintln!("{count} disconnects: {fds} descriptors, {threads} threads, {grown} bytes more");
    assert!(grown <= 5 << 20, "{grown} bytes more are resident");
    // It serves as before.
    let json = post(server.addr(), "/v1/completions", &completion("")).json();
    assert_eq!(json["choices"][0]["text"], said(1, 16));
}
