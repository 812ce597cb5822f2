use rand::SeedableRng;
use testkit::queues::*;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn main() {
    for load in [0.5, 0.84, 0.95] {
        let q = Queue {
            arrivals: Arrivals::Poisson {
                rate: load * 8.0 / 0.022,
            },
            server: Server::Places(8),
            service: Service::LogNormal { sigma: 0.5 },
            mean_seconds: 0.022,
            drift: 0.0,
        };
        let trips = q.run(1_000_000, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1));
        let saved = saved(&trips, q.arrivals);
        let a: Vec<_> = trips
            .iter()
            .map(|t| stats::Answered {
                issued: t.issued,
                done: t.done,
                value: Some((t.done - t.issued).millis()),
            })
            .collect();
        let t0 = cpu();
        let s = stats::summarize_saved(&saved);
        let t1 = cpu();
        let d = stats::describe_in_flight(q.arrivals.pacing(), &a).unwrap();
        let t2 = cpu();
        let series = stats::Series::in_order(a.iter().map(|x| x.value.unwrap()).collect());
        let t3 = cpu();
        let e = series.describe();
        let t4 = cpu();
        println!(
            "load {load}: summary {:.2} s; describe_in_flight of one latency {:.2} s; today's describe of one {:.2} s; {:?} {:?}",
            t1 - t0,
            t2 - t1,
            t4 - t3,
            d.p90,
            e.unwrap().p90
        );
        drop(s);
    }
}
