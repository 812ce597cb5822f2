//! What the system says of processes, in `/proc`.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Who listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Nobody.
    Nobody,
    /// Only processes that were asked about.
    Ours,
    /// Somebody else, with process and name where they are known.
    Stranger(Option<(u32, String)>),
}

/// All processes that a process has started, and those that they have.
pub fn descendants(of: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (process, life) in lives() {
        children.entry(life.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut next = vec![of];
    while let Some(process) = next.pop() {
        let started = children.remove(&process).unwrap_or_default();
        found.extend_from_slice(&started);
        next.extend(started);
    }
    found
}

fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The kernel counts processor time in hundredths of a second.
pub(crate) const fn ticked(ticks: u64) -> Duration {
    Duration::from_millis(ticks.saturating_mul(10))
}

/// What is known of a process that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// Who started it.
    pub(crate) parent: u32,
    /// Processor time that it has used.
    pub(crate) used: Duration,
}

/// Every process that runs. One that has ended and is not waited for does nothing any more.
pub(crate) fn lives() -> HashMap<u32, Life> {
    let known = |process| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        Some((process, life(&stat)?))
    };
    processes().into_iter().filter_map(known).collect()
}

/// Of a line of `/proc/*/stat`: the 3rd and 4th field, and the 14th and 15th, behind a name in parentheses that may hold
/// anything.
fn life(stat: &str) -> Option<Life> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if state == "Z" {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    let ticks = fields.skip(9).take(2);
    let ticks: Option<u64> = ticks.map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some(Life {
        parent,
        used: ticked(ticks?),
    })
}

/// Every socket of TCP at one moment, and who holds it: one walk through all processes, whatever is asked of it.
pub(crate) struct Sockets {
    tables: [String; 2],
    held: HashMap<u32, Vec<u64>>,
    leads_to: HashMap<u64, Lead>,
}

/// Where a connection leads that a process opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lead {
    /// To a port of this machine.
    Here(u16),
    /// To an address of a private network: perhaps a container of this machine, perhaps a neighbour.
    Private,
    /// To another machine.
    Away,
}

impl Sockets {
    pub(crate) fn look() -> Self {
        let tables = tcp_tables();
        let held = |process| (process, socket_inodes(process));
        Sockets {
            held: processes().into_iter().map(held).collect(),
            leads_to: connections(&tables),
            tables,
        }
    }

    /// Who listens on a port.
    pub(crate) fn listeners(&self, port: u16) -> HashSet<u32> {
        let listening: HashSet<u64> = listening_inodes(&self.tables, port);
        let listens = |inodes: &Vec<u64>| inodes.iter().any(|inode| listening.contains(inode));
        let found = self.held.iter().filter(|(_, inodes)| listens(inodes));
        found.map(|(&process, _)| process).collect()
    }

    /// Where the connections lead that this process opened.
    pub(crate) fn asked_by(&self, process: u32) -> HashSet<Lead> {
        let inodes = self.held.get(&process).into_iter().flatten();
        inodes
            .filter_map(|inode| self.leads_to.get(inode).copied())
            .collect()
    }
}

/// Where each connection leads that was opened here: not those to a port that somebody listens on, which were accepted.
fn connections(tables: &[String; 2]) -> HashMap<u64, Lead> {
    let sockets: Vec<Socket<'_>> = tables.iter().flat_map(|text| sockets_in(text)).collect();
    let listening = sockets.iter().filter(|socket| socket.state == LISTEN);
    let listening: HashSet<u16> = listening.map(|socket| socket.local.1).collect();
    let own: HashSet<&str> = sockets.iter().map(|socket| socket.local.0).collect();
    let opened = sockets
        .iter()
        .filter(|socket| socket.state == ESTABLISHED && !listening.contains(&socket.local.1));
    let lead = |socket: &Socket<'_>| {
        let (address, port) = socket.remote;
        match address {
            own_one if own.contains(own_one) || is_loopback(own_one) => Lead::Here(port),
            private if is_private(private) => Lead::Private,
            _ => Lead::Away,
        }
    };
    opened.map(|socket| (socket.inode, lead(socket))).collect()
}

const ESTABLISHED: &str = "01";
const LISTEN: &str = "0A";

/// A line of a table of sockets: addresses as the kernel writes them, in the byte order of this machine.
struct Socket<'a> {
    local: (&'a str, u16),
    remote: (&'a str, u16),
    state: &'a str,
    inode: u64,
}

fn sockets_in(table: &str) -> impl Iterator<Item = Socket<'_>> {
    let end = |text: &str| {
        let (_, port) = text.rsplit_once(':')?;
        u16::from_str_radix(port, 16).ok()
    };
    table.lines().skip(1).filter_map(move |line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let of = |place: usize| -> Option<(&str, u16)> {
            let text = fields.get(place)?;
            Some((text.rsplit_once(':')?.0, end(text)?))
        };
        Some(Socket {
            local: of(1)?,
            remote: of(2)?,
            state: fields.get(3)?,
            inode: fields.get(9)?.parse().ok()?,
        })
    })
}

/// 127.0.0.0/8, as such or in an address of version 6, and `::1`.
fn is_loopback(address: &str) -> bool {
    address.ends_with("7F") || address.ends_with("00000000000000000000000001000000")
}

/// 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16, as such or in an address of version 6.
fn is_private(address: &str) -> bool {
    let Some(bytes) = address.len().checked_sub(8).map(|at| &address[at..]) else {
        return false;
    };
    let mapped = address.len() == 8 || address[..address.len() - 8].ends_with("FFFF0000");
    let byte = |at: usize| u8::from_str_radix(bytes.get(at..at + 2).unwrap_or_default(), 16).ok();
    let kind = (byte(6), byte(4));
    mapped
        && matches!(
            kind,
            (Some(10), _) | (Some(172), Some(16..=31)) | (Some(192), Some(168))
        )
}

/// Who listens on a TCP port, of whatever address; `ours` are processes.
pub fn listener(port: u16, ours: &[u32]) -> Listener {
    let mut listening = listening_inodes(&tcp_tables(), port);
    if listening.is_empty() {
        return Listener::Nobody;
    }
    for process in ours {
        for inode in socket_inodes(*process) {
            listening.remove(&inode);
        }
    }
    if listening.is_empty() {
        return Listener::Ours;
    }
    let owner = processes().into_iter().find(|process| {
        socket_inodes(*process)
            .iter()
            .any(|inode| listening.contains(inode))
    });
    Listener::Stranger(owner.map(|process| {
        let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        (process, name.trim().to_owned())
    }))
}

/// Both tables of sockets, empty where the system has none.
fn tcp_tables() -> [String; 2] {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables.map(|path| fs::read_to_string(path).unwrap_or_default())
}

fn listening_inodes(tables: &[String; 2], port: u16) -> HashSet<u64> {
    let sockets = tables.iter().flat_map(|table| listening_in(table, port));
    sockets.collect()
}

/// The sockets of a table that listen on that port.
fn listening_in(table: &str, port: u16) -> impl Iterator<Item = u64> {
    let listens = move |socket: &Socket<'_>| socket.local.1 == port && socket.state == LISTEN;
    sockets_in(table).filter(listens).map(|socket| socket.inode)
}

fn socket_inodes(process: u32) -> Vec<u64> {
    let entries = fs::read_dir(format!("/proc/{process}/fd"));
    let links = entries.into_iter().flatten().flatten();
    links
        .filter_map(|entry| {
            let link = fs::read_link(entry.path()).ok()?;
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            inode.parse().ok()
        })
        .collect()
}

/// Bytes of memory that this machine has; `None` where the system does not say.
pub fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Whether this process was started with that signal ignored, as `nohup` does it. No system says so but Linux.
pub fn ignores(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = u32::try_from(signal - 1).unwrap_or(u32::MAX);
    mask.unwrap_or(0).checked_shr(bit).unwrap_or(0) & 1 == 1
}

/// Processor time that the threads of these processes have used. Of a thread that has ended nothing is known.
pub fn processes_cpu(processes: &[u32]) -> Duration {
    let of = |process: &u32| threads_cpu(&format!("/proc/{process}/task"), |_| true);
    processes.iter().map(of).sum()
}

/// Processor time of those of our own threads whose name is wanted. Names are cut at 15 bytes.
pub fn own_threads_cpu(wanted: impl Fn(&str) -> bool) -> Duration {
    threads_cpu("/proc/self/task", wanted)
}

/// Processor time of this thread.
pub fn this_thread_cpu() -> Duration {
    on_cpu(Path::new("/proc/thread-self/schedstat")).unwrap_or_default()
}

fn threads_cpu(folder: &str, wanted: impl Fn(&str) -> bool) -> Duration {
    let threads = fs::read_dir(folder).into_iter().flatten().flatten();
    threads
        .filter(|thread| {
            let name = fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
            wanted(name.trim_end())
        })
        .filter_map(|thread| on_cpu(&thread.path().join("schedstat")))
        .sum()
}

/// The first number: nanoseconds on a processor.
fn on_cpu(schedstat: &Path) -> Option<Duration> {
    let text = fs::read_to_string(schedstat).ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::{Lead, Life, Listener, connections, life, listener, listening_in, own_threads_cpu};
    use std::net::TcpListener;
    use std::time::Duration;

    #[test]
    fn only_sockets_that_listen_on_the_port_are_found() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:0FA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0\n\
             1: 0100007F:0FA0 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0\n\
             2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0\n";
        let listening = |table: &str, port| listening_in(table, port).collect::<Vec<u64>>();
        assert_eq!(listening(table, 4000), [111]);
        assert_eq!(listening(table, 8080), [333]);
        assert_eq!(listening("", 1), [0; 0]);
        assert_eq!(listening("a\nb c\n0: x:y z", 1), [0; 0]);
    }

    #[test]
    fn where_a_process_asks_further_is_told_from_who_asks_it() {
        let line = |local: &str, remote: &str, state: &str, inode: u32| {
            format!("0: {local} {remote} {state} 0:0 0:0 0 0 0 {inode} 1\n")
        };
        // A proxy on 8000 that was asked by us, and asks this machine, a container, a neighbour and the world.
        let v4 = [
            "head\n".to_owned(),
            line("00000000:1F40", "00000000:0000", "0A", 1),
            line("0100007F:1F40", "0100007F:9999", "01", 2),
            line("0100007F:9000", "0100007F:1F41", "01", 3),
            line("010011AC:9001", "020011AC:1F40", "01", 4),
            line("0201A8C0:9002", "0201A8C0:1F42", "01", 5),
            line("0201A8C0:9003", "08080808:01BB", "01", 6),
        ];
        let mapped = "0000000000000000FFFF0000";
        let v6 = [
            "head\n".to_owned(),
            line(
                &format!("{mapped}010011AC:9004"),
                &format!("{mapped}050011AC:1F43"),
                "01",
                7,
            ),
        ];
        let leads = connections(&[v4.concat(), v6.concat()]);
        let expected = [
            (3, Lead::Here(0x1F41)),
            (4, Lead::Private),
            (5, Lead::Here(0x1F42)),
            (6, Lead::Away),
            (7, Lead::Private),
        ];
        assert_eq!(leads, expected.into());
    }

    #[test]
    fn a_process_is_known_whatever_its_name_holds() {
        let line = "7 (a ) b) S 3 7 7 0 -1 4 1 0 0 0 25 5 90 90 20 0 1";
        let used = Duration::from_millis(300);
        assert_eq!(life(line), Some(Life { parent: 3, used }));
        assert_eq!(life(&line.replace(" S ", " Z ")), None);
        // Years of it.
        let long = life(&line.replace(" 25 5 ", " 9000000000 5 ")).unwrap();
        assert_eq!(long.used, Duration::from_millis(90_000_000_050));
        assert_eq!(life("7 (x"), None);
    }

    #[test]
    fn a_listener_is_ours_or_a_strangers() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let us = std::process::id();
        assert_eq!(listener(port, &[us]), Listener::Ours);
        let Listener::Stranger(Some((process, _))) = listener(port, &[]) else {
            panic!("we listen");
        };
        assert_eq!(process, us);
        drop(socket);
        assert_eq!(listener(port, &[us]), Listener::Nobody);
    }

    #[test]
    fn a_thread_that_works_uses_processor_time() {
        let before = own_threads_cpu(|_| true);
        let mut sum = 0u64;
        while own_threads_cpu(|_| true) < before + Duration::from_millis(5) {
            sum = (0..10_000u64).fold(sum, u64::wrapping_add);
        }
        assert!(std::hint::black_box(sum) > 0);
    }
}
