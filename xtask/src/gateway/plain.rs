//! What a client sees, said by us and by a plain client on a socket, on the same nginx and mock, by turns.

use super::plain_client::added;
use super::reported::measure;
use super::{GatewayArgs, mean, median, on};
use crate::pinned::{CLIENT_CPU, SERVER_CPU};
use anyhow::{Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use process::preset::{Gateway, GatewaySettings};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const MOCK: &str = "127.0.0.1:4391";
const NGINX: &str = "127.0.0.1:4390";

/// As many connections, one after the other, as we open by default.
const CONNECTIONS: u32 = 5;

/// Prints both figures, free and pinned.
pub(super) fn run(args: &GatewayArgs, program: &Path) -> Result<()> {
    for pinned in [false, true] {
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for round in 0..args.plain_rounds {
            let _running = Running::start(program, pinned)?;
            let mut ask_us = || -> Result<()> {
                let provider = format!("http://{MOCK}");
                let more = ["--no-start-proxy", "--provider-url", &provider];
                let measured = measure(on(CLIENT_CPU, program, pinned), args, round, &more)?;
                ours.push(measured.client.value);
                Ok(())
            };
            let mut ask_plainly = || -> Result<()> {
                plain.push(plainly(args, pinned)?);
                Ok(())
            };
            // Whoever is first finds processes that are new.
            if round % 2 == 0 {
                ask_us()?;
                ask_plainly()?;
            } else {
                ask_plainly()?;
                ask_us()?;
            }
        }
        let (ours_all, plain_all) = (mean(ours.iter().copied()), mean(plain.iter().copied()));
        let apart = median(
            ours.iter()
                .zip(&plain)
                .map(|(ours, plain)| ours - plain)
                .collect(),
        );
        println!(
            "What nginx adds for a client, {}: {ours_all:.1} µs by us, {plain_all:.1} µs by a plain socket client, \
             apart by {:.1} µs on average, {apart:.1} µs in the median of {} rounds",
            if pinned {
                "client on one processor, mock and nginx on the other"
            } else {
                "nothing pinned"
            },
            ours_all - plain_all,
            ours.len()
        );
        let pairs = ours
            .iter()
            .zip(&plain)
            .map(|(ours, plain)| format!("{ours:.0}/{plain:.0}"));
        println!("  ours/plain: {}", pairs.collect::<Vec<_>>().join(" "));
    }
    Ok(())
}

/// In a thread of its own where it is pinned, so that this one stays free.
fn plainly(args: &GatewayArgs, pinned: bool) -> Result<f64> {
    let time = Duration::from_secs_f64(args.seconds / f64::from(CONNECTIONS) / 2.0);
    let ask = move || -> Result<f64> {
        if pinned {
            let mut cpus = nix::sched::CpuSet::new();
            cpus.set(CLIENT_CPU.parse()?)?;
            nix::sched::sched_setaffinity(Pid::from_raw(0), &cpus)?;
        }
        let values: Result<Vec<f64>> = (0..CONNECTIONS).map(|_| added(MOCK, NGINX, time)).collect();
        Ok(mean(values?))
    };
    let asked = std::thread::spawn(ask).join();
    asked.unwrap_or_else(|_| bail!("the plain client panicked"))
}

/// A mock and nginx in front of it, until this is dropped.
struct Running {
    children: Vec<Child>,
    scratch: tempfile::TempDir,
}

impl Running {
    fn start(program: &Path, pinned: bool) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let mut running = Running {
            children: Vec::new(),
            scratch,
        };
        let port = MOCK.rsplit_once(':').map_or(MOCK, |(_, port)| port);
        let mock = on(SERVER_CPU, program, pinned)
            .args(["mock", "--port", port, "--ttft-ms", "0", "--itl-ms", "1"])
            .stderr(Stdio::null())
            .spawn()?;
        running.children.push(mock);
        wait_for(MOCK)?;
        let settings = GatewaySettings {
            scratch: running.scratch.path().to_owned(),
            folder: None,
            command: None,
            config_template: None,
            host: "127.0.0.1".to_owned(),
            port: 4390,
            provider: format!("http://{MOCK}"),
            model: "perf-test-model".to_owned(),
            api_key: String::new(),
        };
        let spec = Gateway::Nginx.spec(&settings)?;
        for (path, text) in &spec.files {
            std::fs::write(path, text)?;
        }
        let nginx = on(SERVER_CPU, Path::new(&spec.program), pinned)
            .args(&spec.args)
            .stderr(Stdio::null())
            .spawn()?;
        running.children.push(nginx);
        wait_for(NGINX)?;
        Ok(running)
    }
}

fn wait_for(address: &str) -> Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if begun.elapsed() > Duration::from_secs(5) {
            bail!("nobody listens at {address}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.children {
            // The worker ends with its master, where that is asked and not killed.
            if let Ok(id) = i32::try_from(child.id()) {
                let _gone = kill(Pid::from_raw(id), Signal::SIGTERM);
            }
            let _ended = child.wait();
        }
    }
}
