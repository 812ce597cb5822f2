//! Where randomness comes from: one seed, cut into streams that never touch.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use trace::RunId;

/// The stream that due times are drawn from; prompts use the streams from 0 up.
pub(crate) const ARRIVALS: u64 = u64::MAX;

/// One of the 2^64 independent streams of a seed.
pub(crate) fn stream(seed: u64, stream: u64) -> ChaCha12Rng {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// The order in which the rows of a data set are dealt in lap `number` through it: stream `number` shuffles them.
pub(crate) fn lap(rows: usize, seed: u64, number: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(rows).unwrap_or(u32::MAX)).collect();
    order.shuffle(&mut stream(seed, number));
    order
}

/// The seed of what differs from run to run, above all the arrivals.
///
/// The first eight bytes, little-endian, of SHA-256 over `tokenomics run 1\n`, the seed (u64), the
/// point (u32), the run (u32), all little-endian, and one byte that is 1 for a warm-up.
pub fn seed_for(seed: u64, run: RunId) -> u64 {
    let hash = Sha256::new()
        .chain_update(b"tokenomics run 1\n")
        .chain_update(seed.to_le_bytes())
        .chain_update(run.point.to_le_bytes())
        .chain_update(run.run.to_le_bytes())
        .chain_update([u8::from(run.warmup)]);
    first_eight(hash)
}

/// The seed of one purpose, such as lengths: what is drawn for it is independent of everything that
/// is drawn from the seed itself, or for another purpose.
///
/// The first eight bytes, little-endian, of SHA-256 over `tokenomics purpose 1\n`, the seed (u64,
/// little-endian) and the purpose.
pub(crate) fn purpose_seed(seed: u64, purpose: &'static str) -> u64 {
    let hash = Sha256::new()
        .chain_update(b"tokenomics purpose 1\n")
        .chain_update(seed.to_le_bytes())
        .chain_update(purpose);
    first_eight(hash)
}

fn first_eight(hash: Sha256) -> u64 {
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::{purpose_seed, seed_for};
    use std::collections::HashSet;
    use trace::RunId;

    #[test]
    fn every_run_of_every_point_has_a_seed_of_its_own() {
        let mut seeds = HashSet::new();
        for seed in 0..4 {
            for point in 0..8 {
                for run in 0..8 {
                    for warmup in [false, true] {
                        seeds.insert(seed_for(seed, RunId { point, run, warmup }));
                    }
                }
            }
        }
        assert_eq!(seeds.len(), 4 * 8 * 8 * 2);
    }

    #[test]
    fn every_purpose_has_a_seed_of_its_own() {
        let seeds: HashSet<u64> = (0..100)
            .flat_map(|seed| ["lengths", "classes"].map(|purpose| purpose_seed(seed, purpose)))
            .collect();
        assert_eq!(seeds.len(), 200);
    }

    #[test]
    fn the_seed_of_a_run_is_the_same_in_every_version() {
        let run = RunId {
            point: 2,
            run: 1,
            warmup: true,
        };
        assert_eq!(seed_for(42, run), GOLDEN);
    }

    // From the definition above, computed with another implementation of SHA-256.
    const GOLDEN: u64 = 1_912_536_651_956_823_405;
}
