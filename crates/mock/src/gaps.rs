//! From one token to the next.

use crate::MockConfig;
use crate::dice::Dice;

/// From one token to the next, in nanoseconds.
pub(crate) enum Gaps {
    /// Always the same.
    Even(u64),
    /// From the first token to each one.
    Sums(Vec<u64>),
}

impl Gaps {
    /// Those of `tokens` tokens, while `serving` requests are served beside this one: `recorded`
    /// where there are recorded ones, from the first token to each, and drawn otherwise.
    pub(crate) fn of(
        config: &MockConfig,
        recorded: Option<&[u64]>,
        tokens: u32,
        serving: u32,
        dice: &mut Dice,
    ) -> Self {
        let factor = 1.0 + config.slowdown * f64::from(serving);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few hours at most"
        )]
        let slowed = |gap: u64| {
            if serving == 0 || config.slowdown <= 0.0 {
                gap
            } else {
                (gap as f64 * factor) as u64
            }
        };
        if let Some(sums) = recorded {
            let sums = sums.iter().take(tokens as usize);
            return Gaps::Sums(sums.map(|&sum| slowed(sum)).collect());
        }
        if let Some(gap) = config.itl.constant() {
            return Gaps::Even(slowed(gap));
        }
        let mut at = 0_u64;
        let mut sums = Vec::with_capacity(tokens as usize);
        for _ in 0..tokens {
            sums.push(at);
            at = at.saturating_add(slowed(dice.span(config.itl)));
        }
        Gaps::Sums(sums)
    }

    /// From the first token to the one of this index.
    pub(crate) fn before(&self, index: u32) -> u64 {
        match self {
            Gaps::Even(gap) => gap.saturating_mul(u64::from(index)),
            Gaps::Sums(sums) => {
                let sum = sums.get(index as usize).or(sums.last());
                sum.copied().unwrap_or(0)
            }
        }
    }
}
