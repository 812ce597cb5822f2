//! The servers and loads that are simulated, and what the product says of one run of each.

use crate::coverage::{NUMBERS, only_point};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stats::{Interval, Metric};
use testkit::queues::{Arrivals, Queue, Server, Service, Trip, saved};
use trace::Slo;

/// Service takes so long on average.
const MEAN_SECONDS: f64 = 0.022;

/// An answer is good that takes no longer than three services: nearly all are while there is no queue.
pub(crate) const GOOD_MS: f64 = 66.0;

/// Parts of a server's capacity that are asked of it.
const LOADS: [f64; 6] = [0.3, 0.5, 0.67, 0.84, 0.9, 0.95];

/// Loads of the servers that are less usual.
const FEW_LOADS: [f64; 3] = [0.3, 0.67, 0.84];

/// Requests of a run.
const REQUESTS: [usize; 5] = [50, 200, 600, 3_000, 20_000];

/// Like most language models' answers: a little skewed.
const LOG_NORMAL: Service = Service::LogNormal { sigma: 0.5 };

/// One server under one load, in runs of one length.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) system: String,
    pub(crate) queue: Queue,
    pub(crate) requests: usize,
    /// Runs without end have no expectation where the server changes.
    pub(crate) is_steady: bool,
}

/// What the product says of one run: the intervals of [`NUMBERS`], and the rate itself.
pub(crate) struct Numbers {
    pub(crate) intervals: [Option<Interval>; NUMBERS.len()],
    pub(crate) rate: Option<f64>,
}

impl Cell {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.system, self.requests)
    }

    /// A run; the same one for the same `seed`, whatever else runs. `purpose` keeps the runs apart that say what is true
    /// from those that are asked.
    pub(crate) fn trips(&self, purpose: u64, seed: u64, requests: usize) -> Vec<Trip> {
        // FNV-1a over the name, so that no two cells share their chance.
        let hash = self
            .name()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let mut rng = ChaCha8Rng::seed_from_u64(hash ^ seed);
        rng.set_stream(purpose);
        self.queue.run(requests, &mut rng)
    }

    /// What the product says of the run with that number.
    pub(crate) fn numbers(&self, run: u64) -> anyhow::Result<Numbers> {
        let trips = self.trips(0, run, self.requests);
        let mut saved = saved(&trips, self.queue.arrivals);
        saved.header.slo = Some(Slo {
            ttft_ms: None,
            tpot_ms: None,
            e2e_ms: Some(GOOD_MS),
        });
        let point = only_point(stats::summarize_saved(&saved))?;
        let latency = point.latency.e2e.as_ref();
        let good: Metric = "goodput".parse()?;
        let steady = point.steady_state.as_ref();
        Ok(Numbers {
            intervals: [
                latency.and_then(|latency| latency.mean_interval),
                latency.and_then(|latency| latency.p50.interval),
                latency.and_then(|latency| latency.p90.interval),
                latency.and_then(|latency| latency.p99.interval),
                good.of(&point).and_then(|good| good.interval),
                steady.and_then(|steady| steady.requests_per_second_interval),
            ],
            rate: steady.and_then(|steady| Some(steady.requests_per_second?.mean)),
        })
    }
}

/// A server of eight places under that load.
pub(crate) fn lognormal_of_eight(load: f64, requests: usize) -> Cell {
    Cell {
        system: format!("M/G/8 lognormal {load}"),
        queue: open(load, 8, Server::Places(8), LOG_NORMAL),
        requests,
        is_steady: true,
    }
}

/// All of them; those of one queue follow each other.
pub(crate) fn cells() -> Vec<Cell> {
    let mut systems = Vec::new();
    let places = |name: &str, places, service, loads: &[f64]| {
        let at = |&load: &f64| {
            let queue = open(load, places, Server::Places(places), service);
            (format!("{name} {load}"), queue, true)
        };
        loads.iter().map(at).collect::<Vec<_>>()
    };
    systems.extend(places("M/M/1", 1, Service::Exponential, &LOADS));
    for count in [8, 64] {
        let services = [
            ("lognormal", LOG_NORMAL),
            ("bimodal", Service::Bimodal),
            ("Pareto", Service::Pareto { tail: 2.5 }),
        ];
        for (name, service) in services {
            systems.extend(places(
                &format!("M/G/{count} {name}"),
                count,
                service,
                &LOADS,
            ));
        }
    }
    for load in FEW_LOADS {
        systems.extend(unusual(load));
    }
    for (name, users, think) in [
        ("closed 8 on 8", 8, 0.0),
        ("closed 16 on 8", 16, 0.0),
        ("closed 16 on 8, thinking", 16, 1.5),
        ("closed 64 on 8, thinking", 64, 6.0),
    ] {
        let arrivals = Arrivals::Closed {
            users,
            think_seconds: think * MEAN_SECONDS,
        };
        let queue = Queue {
            arrivals,
            ..open(0.5, 8, Server::Places(8), LOG_NORMAL)
        };
        systems.push((name.to_owned(), queue, true));
    }
    for size in [8, 16, 64] {
        let arrivals = Arrivals::Burst { size };
        let queue = Queue {
            arrivals,
            ..open(0.5, 8, Server::Places(8), LOG_NORMAL)
        };
        systems.push((format!("bursts of {size} on 8"), queue, true));
    }
    systems
        .into_iter()
        .flat_map(|(system, queue, is_steady)| {
            REQUESTS.map(|requests| Cell {
                system: system.clone(),
                queue,
                requests,
                is_steady,
            })
        })
        .collect()
}

/// Servers and arrivals that are no M/G/c, all of which answer eight at once.
fn unusual(load: f64) -> [(String, Queue, bool); 4] {
    let eight = open(load, 8, Server::Places(8), LOG_NORMAL);
    let lockstep = Server::Lockstep {
        places: 8,
        step_seconds: MEAN_SECONDS / 10.0,
    };
    let batches = Server::Batches { most: 8 };
    let rate = load * 8.0 / MEAN_SECONDS;
    let gamma = Arrivals::Gamma { rate, shape: 0.25 };
    [
        (
            format!("lockstep {load}"),
            Queue {
                server: lockstep,
                ..eight
            },
            true,
        ),
        (
            format!("batching {load}"),
            Queue {
                server: batches,
                ..eight
            },
            true,
        ),
        (
            format!("gamma arrivals {load}"),
            Queue {
                arrivals: gamma,
                ..eight
            },
            true,
        ),
        (
            format!("drift of 20 % {load}"),
            Queue {
                drift: 0.2,
                ..eight
            },
            false,
        ),
    ]
}

fn open(load: f64, places: usize, server: Server, service: Service) -> Queue {
    Queue {
        arrivals: Arrivals::Poisson {
            rate: load * places as f64 / MEAN_SECONDS,
        },
        server,
        service,
        mean_seconds: MEAN_SECONDS,
        drift: 0.0,
    }
}
