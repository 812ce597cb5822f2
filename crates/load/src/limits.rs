//! How many files and connections may be open.

use crate::LoadError;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Open files beside the connections: standard streams, the event queue, result files, a built-in
/// server's listener, TLS roots.
const OTHER_FILES: u64 = 64;

/// Makes sure that `connections` can be open at once, raising the soft limit where that helps.
/// `per_connection` is 2 where the server runs in this process too.
///
/// # Errors
/// The hard limit is lower.
pub fn allow_connections(connections: u64, per_connection: u64) -> Result<(), LoadError> {
    let needed_files = connections * per_connection + OTHER_FILES;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return Ok(());
    };
    if soft >= needed_files {
        return Ok(());
    }
    let refuse = LoadError::FileDescriptors {
        needed: connections,
        needed_files,
        limit: hard,
    };
    if hard < needed_files {
        return Err(refuse);
    }
    setrlimit(Resource::RLIMIT_NOFILE, needed_files, hard).map_err(|_| refuse)
}

/// Makes the calling thread take only the processor time that others leave. Where that is refused,
/// it only competes more.
pub fn leave_time_to_receiving() {
    const LEAST_FAVOURED: i32 = 19;
    // `None` is the calling thread.
    let _ = rustix::process::setpriority_process(None, LEAST_FAVOURED);
}

/// Lets as many of `connections` be open at once as the hard limit allows: an open loop has no
/// number of its own, and a server that falls behind gathers them. Returns the files that may then be open.
pub fn allow_as_many_as(connections: u64) -> u64 {
    let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return u64::MAX;
    };
    let possible = connections.min(hard.saturating_sub(2 * OTHER_FILES));
    // Where even that is refused, the records say which requests found no descriptor.
    let _ = allow_connections(possible, 1);
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
}

#[cfg(test)]
mod tests {
    use super::allow_connections;

    #[test]
    fn fault_27_too_few_file_descriptors_are_refused_with_the_number_needed() {
        let error = allow_connections(u64::from(u32::MAX), 1).unwrap_err();
        assert!(error.to_string().contains("4294967359"), "{error}");
    }

    #[test]
    fn a_few_connections_are_always_allowed() {
        allow_connections(16, 1).unwrap();
    }
}
