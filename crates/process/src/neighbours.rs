//! Who used the processors: we and what we have started, a server on this machine, or others.

use crate::system::{Lead, Life, Sockets, lives, ticked};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::time::Duration;

/// What each had used of the processors at one moment.
pub struct Neighbours {
    /// The processors that this process may run on.
    processors: Vec<u32>,
    /// Their time that was spent on processes, the kernel's own work for the network left out.
    busy: Duration,
    processes: HashMap<u32, Life>,
}

/// What was used between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// So many processors were looked at.
    pub processors: u32,
    /// By neither us nor the server.
    pub others: Duration,
    /// By the server, where it runs on this machine.
    pub server: Option<Duration>,
}

impl Neighbours {
    /// Takes a look; `None` where the system does not say.
    pub fn look() -> Option<Self> {
        let processors = allowed("/proc/self/status")?;
        let busy = busy(&fs::read_to_string("/proc/stat").ok()?, &processors)?;
        Some(Self {
            processors,
            busy,
            processes: lives(),
        })
    }

    /// What was used since `before`. `server` is its port, where it runs on this machine; `None` where it does and
    /// nobody can tell which process it is, as behind a container's proxy: what others took is then not known.
    pub fn since(&self, before: &Self, server: Option<u16>) -> Option<Used> {
        let us = with_descendants([std::process::id()].into(), &self.processes);
        let answering = match server.map(|port| serving(port, &self.processes)) {
            None => HashSet::new(),
            Some(known) => known?,
        };
        let grown = |process: &u32| {
            let used = |look: &Self| look.processes.get(process).map(|life| life.used);
            let then = used(before).unwrap_or_default();
            used(self).unwrap_or_default().saturating_sub(then)
        };
        let ours: Duration = us.iter().map(&grown).sum();
        let theirs: Duration = answering.difference(&us).map(&grown).sum();
        // A server that is pinned to other processors took none of these.
        let here = |process: &&u32| {
            let theirs = allowed(&format!("/proc/{process}/status"));
            theirs.is_none_or(|theirs| theirs.iter().any(|one| self.processors.contains(one)))
        };
        let beside: Duration = answering.difference(&us).filter(here).map(grown).sum();
        let busy = self.busy.saturating_sub(before.busy);
        Some(Used {
            processors: u32::try_from(self.processors.len()).unwrap_or(u32::MAX),
            others: busy.saturating_sub(ours + beside),
            server: server.map(|_| theirs),
        })
    }
}

/// The processes that answer on a port: who listens there, what they have started, and who listens on this machine to
/// what they ask in their turn, as the servers behind a proxy. `None` where that is nobody, or where they ask further in
/// a private network, which may be a container of this machine: its processes are not found by their ports.
fn serving(port: u16, processes: &HashMap<u32, Life>) -> Option<HashSet<u32>> {
    let sockets = Sockets::look();
    let mut found: HashSet<u32> = HashSet::new();
    let mut seen: HashSet<u16> = HashSet::new();
    let mut ports = vec![port];
    while let Some(port) = ports.pop() {
        if !seen.insert(port) {
            continue;
        }
        for process in with_descendants(sockets.listeners(port), processes) {
            if !found.insert(process) {
                continue;
            }
            for lead in sockets.asked_by(process) {
                match lead {
                    Lead::Here(port) => ports.push(port),
                    Lead::Private => return None,
                    Lead::Away => {}
                }
            }
        }
    }
    (!found.is_empty()).then_some(found)
}

fn with_descendants(mut of: HashSet<u32>, processes: &HashMap<u32, Life>) -> HashSet<u32> {
    loop {
        let more = processes
            .iter()
            .filter(|(_, life)| of.contains(&life.parent));
        let more: Vec<u32> = more.map(|(&child, _)| child).collect();
        let before = of.len();
        of.extend(more);
        if of.len() == before {
            return of;
        }
    }
}

/// The processors that a process may run on.
fn allowed(status: &str) -> Option<Vec<u32>> {
    let status = fs::read_to_string(status).ok()?;
    let mut lines = status.lines();
    let list = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    Some(numbers(list.trim()))
}

/// Of `0-2,5`: 0, 1, 2 and 5.
fn numbers(list: &str) -> Vec<u32> {
    let ranges = list.split(',').filter_map(|range| {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        Some(from.parse::<u32>().ok()?..=to.parse::<u32>().ok()?)
    });
    ranges.flatten().collect()
}

/// Time of these processors that went to processes: user, nice and system.
fn busy(stat: &str, processors: &[u32]) -> Option<Duration> {
    let of = |processor: &u32| {
        let name = format!("cpu{processor} ");
        let line = stat.lines().find_map(|line| line.strip_prefix(&name))?;
        let ticks = line.split_whitespace().take(3);
        ticks
            .map(|ticks| ticks.parse::<u64>().ok())
            .sum::<Option<u64>>()
    };
    let ticks: Option<u64> = processors.iter().map(of).sum();
    (!processors.is_empty()).then_some(ticked(ticks?))
}

#[cfg(test)]
mod tests {
    use super::{Neighbours, busy, numbers, serving};
    use crate::system::lives;
    use std::net::TcpListener;
    use std::process::Command;
    use std::time::{Duration, Instant};

    #[test]
    fn lists_of_processors_and_times_are_read() {
        assert_eq!(numbers("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(numbers("3"), [3]);
        assert_eq!(numbers("x"), [0; 0]);
        let stat = "cpu  9 9 9 9\ncpu0 1 2 3 400 5 6 7 8\ncpu1 10 0 0 0 0 0 0\ncpu10 50 0 0\n";
        assert_eq!(busy(stat, &[0, 1]), Some(Duration::from_millis(160)));
        assert_eq!(busy(stat, &[2]), None);
    }

    #[test]
    fn who_listens_is_found_and_nobody_where_nobody_does() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let serving_us = serving(port, &lives()).unwrap();
        assert!(serving_us.contains(&std::process::id()));
        drop(socket);
        assert_eq!(serving(port, &lives()), None);
        let look = Neighbours::look().unwrap();
        assert_eq!(look.since(&look, Some(port)), None);
    }

    #[test]
    fn a_process_of_ours_is_no_other_one_and_works_all_the_same() {
        let before = Neighbours::look().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        let id = child.id();
        let began = Instant::now();
        // Until it has worked for some ticks, however busy this machine is.
        let after = loop {
            let look = Neighbours::look().unwrap();
            let worked = look
                .processes
                .get(&id)
                .map_or(Duration::ZERO, |life| life.used);
            if worked >= Duration::from_millis(300) || began.elapsed() > Duration::from_mins(1) {
                break look;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let used = after.since(&before, None).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let busy = after.busy.saturating_sub(before.busy);
        assert!(
            used.others + Duration::from_millis(200) <= busy,
            "{used:?} of {busy:?}"
        );
    }
}
