//! Where threads run, and how often they sleep.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// What the system says of a thread at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadLook {
    /// Its number.
    pub thread: u32,
    /// The processor that it runs on, or ran on last.
    pub processor: u32,
    /// Processor time that it has used.
    pub on_cpu: Duration,
    /// How often it gave its processor up, because it had to wait for something.
    pub slept: u64,
}

/// The thread that asks; `None` where the system does not say.
pub fn this_thread() -> Option<ThreadLook> {
    // A link that names the process and the thread.
    let link = fs::read_link("/proc/thread-self").ok()?;
    look(&Path::new("/proc").join(link))
}

/// Those of our own threads whose name is wanted. Names are cut at 15 bytes.
pub fn own_threads(wanted: impl Fn(&str) -> bool) -> Vec<ThreadLook> {
    threads(Path::new("/proc/self/task"), wanted)
}

/// All threads of these processes.
pub fn threads_of(processes: &[u32]) -> Vec<ThreadLook> {
    let of = |process: &u32| threads(Path::new(&format!("/proc/{process}/task")), |_| true);
    processes.iter().flat_map(of).collect()
}

fn threads(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<ThreadLook> {
    let threads = fs::read_dir(folder).into_iter().flatten().flatten();
    threads
        .filter(|thread| {
            let name = fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
            wanted(name.trim_end())
        })
        .filter_map(|thread| look(&thread.path()))
        .collect()
}

fn look(folder: &Path) -> Option<ThreadLook> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let schedstat = read("schedstat")?;
    let nanos = schedstat.split_whitespace().next()?.parse().ok()?;
    Some(ThreadLook {
        thread: folder.file_name()?.to_str()?.parse().ok()?,
        processor: processor(&read("stat")?)?,
        on_cpu: Duration::from_nanos(nanos),
        slept: slept(&read("status")?)?,
    })
}

/// Field 39 of `/proc/PID/stat`. The name, field 2, stands in parentheses and may hold anything.
fn processor(stat: &str) -> Option<u32> {
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(39 - 3)?.parse().ok()
}

fn slept(status: &str) -> Option<u64> {
    let line = |line: &str| {
        line.strip_prefix("voluntary_ctxt_switches:")?
            .trim()
            .parse()
            .ok()
    };
    status.lines().find_map(line)
}

#[cfg(test)]
mod tests {
    use super::{own_threads, processor, slept, this_thread, threads_of};

    #[test]
    fn the_processor_is_found_after_a_name_that_looks_like_fields() {
        let fields: Vec<String> = (4..=52).map(|field| field.to_string()).collect();
        let stat = format!("17 (a) S 3) S {}\n", fields.join(" "));
        assert_eq!(processor(&stat), Some(39));
        assert_eq!(processor("17 (a) S 1 2"), None);
        assert_eq!(processor(""), None);
    }

    #[test]
    fn only_what_was_given_up_by_itself_counts_as_sleep() {
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t53\nnonvoluntary_ctxt_switches:\t7\n";
        assert_eq!(slept(status), Some(53));
        assert_eq!(slept("nonvoluntary_ctxt_switches:\t7\n"), None);
    }

    #[test]
    fn a_thread_that_waits_is_seen_to_sleep() {
        let before = this_thread().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let echo = std::thread::Builder::new().name("an-echo".to_owned());
        let (back, answer) = std::sync::mpsc::channel();
        let echo = echo.spawn(move || {
            for word in receiver {
                back.send(word).unwrap();
            }
        });
        // Often enough for one of the two to have to wait for the other.
        for word in 0..1_000 {
            sender.send(word).unwrap();
            assert_eq!(answer.recv(), Ok(word));
        }
        let us = threads_of(&[std::process::id()]);
        let [echoing] = own_threads(|name| name == "an-echo")[..] else {
            panic!("one thread has that name");
        };
        let after = this_thread().unwrap();
        assert_eq!(after.thread, before.thread);
        assert!(after.slept + echoing.slept > before.slept);
        assert!(us.iter().any(|look| look.thread == echoing.thread));
        drop(sender);
        echo.unwrap().join().unwrap();
    }
}
