//! The most that may be typed of each number of things that take memory or time.
//!
//! Each is far beyond what anybody measures with, and far below what ends a machine, or what no sum of two of them passes
//! the largest number there is.

use crate::failure::Failure;

/// A flag, what it is at most, and why nobody needs more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) flag: &'static str,
    pub(crate) most: u64,
    pub(crate) why: &'static str,
}

/// Runs of each point, measured or not.
pub(crate) const RUNS: Limit = Limit {
    flag: "--num-runs",
    most: 10_000,
    why: "--num-prompts and --duration make runs longer",
};

pub(crate) const WARMUP_RUNS: Limit = Limit {
    flag: "--warmup-runs",
    most: 10_000,
    why: "the warm-up that is left in a run is found anyway",
};

/// Requests of the scheduler's benchmark, which are all held in memory.
pub(crate) const SCHEDULER_REQUESTS: Limit = Limit {
    flag: "--num-requests",
    most: 10_000_000,
    why: "they are all held in memory",
};

pub(crate) const REPEAT_RUNS: Limit = Limit {
    flag: "--repeat-runs",
    most: 10_000,
    why: "--num-requests makes a run longer",
};

/// Tokens of a step, for which an engine has room at once.
pub(crate) const STEP_TOKENS: Limit = Limit {
    flag: "--max-num-batched-tokens",
    most: 1 << 24,
    why: "a step of so many takes hours",
};

pub(crate) const SEQUENCES: Limit = Limit {
    flag: "--max-num-seqs",
    most: 1 << 20,
    why: "each is a connection",
};

pub(crate) const QUEUE: Limit = Limit {
    flag: "--max-queue",
    most: 1 << 20,
    why: "each is a connection",
};

/// Of memory the machine sets the limit; this is what no machine has.
pub(crate) const KV_CACHE_MIB: Limit = Limit {
    flag: "--kv-cache-mib",
    most: 1 << 24,
    why: "no machine has more",
};

impl Limit {
    /// Refuses more.
    pub(crate) fn check(self, value: u64) -> Result<(), Failure> {
        if value <= self.most {
            return Ok(());
        }
        let Limit { flag, most, why } = self;
        Err(Failure::usage(format!(
            "{flag} must be at most {most}, got `{value}`: {why}"
        )))
    }
}

/// Refuses what this machine has no memory for, before any of it is taken.
pub(crate) fn fits_in_memory(flag: &str, bytes: u64) -> Result<(), Failure> {
    let Some(all) = process::memory() else {
        return Ok(());
    };
    if bytes <= all {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{flag} asks for {} MiB, and this machine has {} MiB of memory; choose less",
        bytes >> 20,
        all >> 20
    )))
}

#[cfg(test)]
mod tests {
    use super::{KV_CACHE_MIB, QUEUE, SEQUENCES, fits_in_memory};

    #[test]
    fn a_limit_is_named_with_the_flag_the_value_and_the_reason() {
        QUEUE.check(QUEUE.most).unwrap();
        let refused = QUEUE.check(u64::MAX).unwrap_err().to_string();
        for word in [
            "--max-queue",
            "1048576",
            "18446744073709551615",
            "connection",
        ] {
            assert!(refused.contains(word), "{refused}");
        }
    }

    #[test]
    fn no_sum_or_product_of_limits_overflows() {
        assert!(QUEUE.most.checked_add(SEQUENCES.most).is_some());
        assert!(KV_CACHE_MIB.most.checked_mul(1 << 20).is_some());
        let refused = fits_in_memory("--kv-cache-mib", KV_CACHE_MIB.most << 20).unwrap_err();
        assert!(
            refused.to_string().contains("this machine has"),
            "{refused}"
        );
        fits_in_memory("--kv-cache-mib", 1 << 20).unwrap();
    }
}
