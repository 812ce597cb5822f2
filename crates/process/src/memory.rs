//! How much memory this process may still take: what is free, within what it was given.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that this process may still take before the system refuses or ends it: what the machine has to spare, and what
/// its control groups and its own limits (`ulimit -v`, `ulimit -d`) leave; `None` where the system says nothing.
pub fn memory_left() -> Option<u64> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let available = read(Path::new("/proc/meminfo")).and_then(|text| kib(&text, "MemAvailable:"));
    let limits = read(Path::new("/proc/self/limits")).unwrap_or_default();
    let status = read(Path::new("/proc/self/status")).unwrap_or_default();
    let own = [
        ("Max address space", "VmSize:"),
        ("Max data size", "VmData:"),
    ];
    let own = own.into_iter().filter_map(|(limit, used)| {
        let most = soft_limit(&limits, limit)?;
        Some(most.saturating_sub(kib(&status, used).unwrap_or(0)))
    });
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let groups = groups_left(&groups, &|path| read(path));
    available.into_iter().chain(own).chain(groups).min()
}

/// A line such as `VmSize:  123 kB`.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// A line of `/proc/self/limits`: the name, the soft limit, the hard one and the unit. `unlimited` is none.
fn soft_limit(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What each control group of the process leaves, and each that it is in: of version 2, or of version 1's memory.
fn groups_left(groups: &str, read: &dyn Fn(&Path) -> Option<String>) -> Option<u64> {
    let number = |path: PathBuf| -> Option<u64> { read(&path)?.trim().parse().ok() };
    let mut least = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(place)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let (root, limit, used, files) = match controllers {
            "" => (
                "/sys/fs/cgroup",
                "memory.max",
                "memory.current",
                "inactive_file ",
            ),
            "memory" => (
                "/sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file ",
            ),
            _ => continue,
        };
        let root = Path::new(root);
        let own = root.join(place.trim_start_matches('/'));
        // In a container the root is the container's own group, whatever the file says of the place.
        let within = own
            .ancestors()
            .take_while(|folder| folder.starts_with(root));
        for folder in within {
            let (Some(limit), Some(used)) = (number(folder.join(limit)), number(folder.join(used)))
            else {
                continue;
            };
            // Copies of files are given up before anything is refused.
            let stat = read(&folder.join("memory.stat")).unwrap_or_default();
            let files = stat
                .lines()
                .find_map(|line| line.strip_prefix(files)?.trim().parse().ok());
            let left = limit.saturating_sub(used.saturating_sub(files.unwrap_or(0)));
            least = Some(least.map_or(left, |least: u64| least.min(left)));
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::{groups_left, kib, memory_left, soft_limit};
    use std::path::Path;

    #[test]
    fn what_is_left_is_no_more_than_the_machine_has() {
        let left = memory_left().unwrap();
        assert!(left <= crate::memory().unwrap(), "{left}");
    }

    #[test]
    fn the_smallest_group_says_what_is_left() {
        let file = |path: &Path| {
            let text = match path.to_str()? {
                "/sys/fs/cgroup/a/b/memory.max" => "max\n",
                "/sys/fs/cgroup/a/memory.max" => "1000\n",
                "/sys/fs/cgroup/a/memory.current" => "700\n",
                "/sys/fs/cgroup/a/memory.stat" => "anon 1\ninactive_file 200\n",
                "/sys/fs/cgroup/memory/c/memory.limit_in_bytes" => "5000\n",
                "/sys/fs/cgroup/memory/c/memory.usage_in_bytes" => "6000\n",
                _ => return None,
            };
            Some(text.to_owned())
        };
        assert_eq!(groups_left("0::/a/b\n", &file), Some(500));
        assert_eq!(
            groups_left("4:cpu:/x\n3:memory:/c\n0::/a/b\n", &file),
            Some(0)
        );
        assert_eq!(groups_left("0::/z\n", &file), None);
        assert_eq!(groups_left("what is this", &file), None);
    }

    #[test]
    fn limits_of_the_process_are_read_as_the_kernel_writes_them() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max data size             unlimited            unlimited            bytes     \n\
                      Max address space         1024000000           unlimited            bytes     \n";
        assert_eq!(soft_limit(limits, "Max address space"), Some(1_024_000_000));
        assert_eq!(soft_limit(limits, "Max data size"), None);
        assert_eq!(
            kib("VmPeak:\t 7 kB\nVmSize:\t 3 kB\n", "VmSize:"),
            Some(3072)
        );
    }
}
