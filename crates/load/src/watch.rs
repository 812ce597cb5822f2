//! How the client itself fares while it measures: a canary timer, and what the system says.

use crate::Clock;
use crate::clock::read;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use trace::{Instrument, Nanos, WatchedSecond};

/// How often the canary wakes.
const CANARY_PERIOD: Nanos = Nanos::from_millis(5);

/// Watches this process from the start of a run to its end. Must be started and finished on the
/// receiving thread, whose processor time it reads.
pub struct Watch {
    stop: Arc<AtomicBool>,
    canary: Option<JoinHandle<Sung>>,
    before: Sample,
}

/// What the system says at one moment; absent where it does not say.
struct Sample {
    now: Nanos,
    process_cpu: Nanos,
    thread_cpu: Nanos,
    counts: Counts,
}

impl Watch {
    /// Starts the canary and takes the first sample.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let receiver = nix::unistd::gettid();
        let schedstat = format!("/proc/self/task/{receiver}/schedstat");
        let canary = std::thread::Builder::new()
            .name("canary".into())
            .spawn(move || sing(&stopped, &schedstat))
            .ok();
        Watch {
            stop,
            canary,
            before: Sample::take(),
        }
    }

    /// Ends the canary; what happened in between, with the open-loop pacer's own lateness.
    pub fn finish(mut self, mut pacer_late: Vec<u64>) -> Instrument {
        let after = Sample::take();
        self.stop.store(true, Ordering::Relaxed);
        let Sung { mut late, seconds } = self
            .canary
            .take()
            .and_then(|canary| canary.join().ok())
            .unwrap_or_default();
        late.sort_unstable();
        pacer_late.sort_unstable();
        let before = &self.before;
        Instrument {
            began: Some(before.now),
            watched: Some(after.now - before.now),
            canary_late_p50: ranked(&late, 0.5),
            canary_late_p99: ranked(&late, 0.99),
            canary_late_max: late.last().copied().map(Nanos),
            pacer_late_p99: ranked(&pacer_late, 0.99),
            cpu: Some(after.process_cpu - before.process_cpu),
            receiver_cpu: Some(after.thread_cpu - before.thread_cpu),
            receiver_run_queue_wait: grown(
                after.counts.run_queue_wait,
                before.counts.run_queue_wait,
            ),
            steal: grown(after.counts.steal, before.counts.steal),
            throttled: grown(after.counts.throttled, before.counts.throttled),
            file_descriptor_limit: file_descriptor_limit(),
            beside: None,
            seconds,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What the canary noted.
#[derive(Default)]
struct Sung {
    /// How late each waking was, in nanoseconds.
    late: Vec<u64>,
    seconds: Vec<WatchedSecond>,
}

/// What grows from second to second; absent where the system does not say.
struct Counts {
    run_queue_wait: Option<Nanos>,
    steal: Option<Nanos>,
    throttled: Option<Nanos>,
    queue_drops: Option<u64>,
}

impl Counts {
    fn take(schedstat: &str) -> Self {
        Self {
            run_queue_wait: field(&contents(schedstat), 1).map(Nanos),
            steal: steal(&contents("/proc/stat")),
            throttled: throttled(&contents("/sys/fs/cgroup/cpu.stat")),
            queue_drops: queue_drops(&contents("/proc/net/netstat")),
        }
    }

    /// A second that began with `before` and ends with these.
    fn second(&self, before: &Self, number: usize, late: &[u64]) -> WatchedSecond {
        WatchedSecond {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            canary_late_max: late.iter().max().copied().map(Nanos),
            receiver_run_queue_wait: grown(self.run_queue_wait, before.run_queue_wait),
            steal: grown(self.steal, before.steal),
            throttled: grown(self.throttled, before.throttled),
            tcp_sockets: tcp_sockets(&contents("/proc/net/sockstat")),
            open_files: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|files| files.count() as u64),
            queue_drops: self
                .queue_drops
                .zip(before.queue_drops)
                .map(|(now, before)| now.saturating_sub(before)),
        }
    }
}

/// Between two looks, where both saw it.
fn grown(now: Option<Nanos>, before: Option<Nanos>) -> Option<Nanos> {
    Some(now? - before?)
}

/// Wakes regularly, does nothing but note how late it was, and once a second what the system says.
fn sing(stopped: &AtomicBool, schedstat: &str) -> Sung {
    const SECOND: Nanos = Nanos::from_millis(1_000);
    let _ = nix::sys::prctl::set_timerslack(1);
    let Sung {
        mut late,
        mut seconds,
    } = Sung::default();
    let mut due = Clock::Monotonic.now();
    let (mut begun, mut first) = (due, 0);
    let mut before = Counts::take(schedstat);
    while !stopped.load(Ordering::Relaxed) {
        due = due + CANARY_PERIOD;
        let wake = Duration::from_nanos(due.0);
        let flags = ClockNanosleepFlags::TIMER_ABSTIME;
        if clock_nanosleep(ClockId::CLOCK_MONOTONIC, flags, &wake.into()).is_err() {
            continue;
        }
        let now = Clock::Monotonic.now();
        late.push((now - due).0);
        // After a long absence it does not make up for the wakings it missed.
        due = due.max(now - CANARY_PERIOD);
        if now >= begun + SECOND {
            let counts = Counts::take(schedstat);
            seconds.push(counts.second(&before, seconds.len(), &late[first..]));
            (begun, first, before) = (begun + SECOND, late.len(), counts);
            // What this took is no lateness of the next waking.
            due = due.max(Clock::Monotonic.now());
        }
    }
    Sung { late, seconds }
}

/// The value at rank ⌈q·n⌉ of a sorted sample: a bound for a warning, not a percentile to report.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank within the sample"
)]
fn ranked(sorted: &[u64], q: f64) -> Option<Nanos> {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().map(Nanos)
}

impl Sample {
    fn take() -> Self {
        Sample {
            now: Clock::Monotonic.now(),
            process_cpu: read(ClockId::CLOCK_PROCESS_CPUTIME_ID),
            thread_cpu: read(ClockId::CLOCK_THREAD_CPUTIME_ID),
            counts: Counts::take("/proc/thread-self/schedstat"),
        }
    }
}

fn contents(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn field(line: &str, index: usize) -> Option<u64> {
    line.split_whitespace().nth(index)?.parse().ok()
}

/// Time stolen from all processors together; the kernel counts it in hundredths of a second.
fn steal(stat: &str) -> Option<Nanos> {
    let total = stat.lines().find(|line| line.starts_with("cpu "))?;
    Some(Nanos(field(total, 8)? * 10_000_000))
}

/// Of `TCP: inuse 5 orphan 0 tw 12 alloc 7 mem 1`: those in use, and those that wait.
fn tcp_sockets(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find(|line| line.starts_with("TCP: "))?;
    Some(field(line, 2)? + field(line, 6)?)
}

/// What was dropped since the machine started because the queue of a listening socket, or of one that
/// receives, was full. Names stand in one line, values in the next.
fn queue_drops(netstat: &str) -> Option<u64> {
    const NAMES: [&str; 3] = ["ListenOverflows", "TCPBacklogDrop", "TCPRcvQDrop"];
    let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt: "));
    let names = lines.next()?.split_whitespace();
    let pairs = names.zip(lines.next()?.split_whitespace());
    let drops: Vec<u64> = pairs
        .filter(|(name, _)| NAMES.contains(name))
        .filter_map(|(_, value)| value.parse().ok())
        .collect();
    (!drops.is_empty()).then(|| drops.iter().sum())
}

fn throttled(cpu_stat: &str) -> Option<Nanos> {
    let line = cpu_stat
        .lines()
        .find(|line| line.starts_with("throttled_usec "))?;
    Some(Nanos(field(line, 1)? * 1000))
}

fn file_descriptor_limit() -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE)
        .ok()
        .map(|(soft, _)| soft)
}

#[cfg(test)]
mod tests {
    use super::{Nanos, queue_drops, ranked, steal, tcp_sockets, throttled};

    #[test]
    fn stolen_time_is_the_eighth_figure_of_the_total() {
        let stat = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 0 0 0 0 0 0 0 1 0 0\n";
        assert_eq!(steal(stat), Some(Nanos(80_000_000)));
        assert_eq!(steal(""), None);
    }

    #[test]
    fn sockets_that_wait_to_be_forgotten_count() {
        let sockstat =
            "sockets: used 10\nTCP: inuse 5 orphan 0 tw 12 alloc 7 mem 1\nUDP: inuse 0 mem 0\n";
        assert_eq!(tcp_sockets(sockstat), Some(17));
        assert_eq!(tcp_sockets(""), None);
    }

    #[test]
    fn what_full_queues_drop_is_found_by_name() {
        let netstat = "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPBacklogDrop\n\
            TcpExt: 1 20 300 4000\nIpExt: InNoRoutes\nIpExt: 9\n";
        assert_eq!(queue_drops(netstat), Some(4020));
        assert_eq!(queue_drops("TcpExt: SyncookiesSent\nTcpExt: 1\n"), None);
        assert_eq!(queue_drops(""), None);
    }

    #[test]
    fn throttled_time_is_absent_where_the_control_group_has_no_limit() {
        assert_eq!(throttled("usage_usec 5\n"), None);
        assert_eq!(throttled("throttled_usec 7\n"), Some(Nanos(7000)));
    }

    #[test]
    fn a_rank_of_an_empty_sample_is_absent() {
        assert_eq!(ranked(&[], 0.99), None);
        assert_eq!(ranked(&[1, 2, 3], 0.99), Some(Nanos(3)));
        assert_eq!(ranked(&[1, 2, 3], 0.5), Some(Nanos(2)));
    }
}
