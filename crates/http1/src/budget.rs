//! Memory that all connections share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all connections of a server together may hold in memory, in bytes.
///
/// The first [bytes](Budget::FREE_BYTES) of each connection are not counted, so that whoever asks for little is answered
/// whatever others hold; connections have a limit of their own.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    taken: AtomicUsize,
}

impl Budget {
    /// What a connection may hold without being counted: one small request.
    pub const FREE_BYTES: usize = 16 << 10;

    /// A budget of `most` bytes, of which none is taken.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Budget {
            most,
            taken: AtomicUsize::new(0),
        })
    }

    /// All that there is.
    pub fn most(&self) -> usize {
        self.most
    }

    /// What is taken now.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> bool {
        let more = |taken: usize| taken.checked_add(bytes).filter(|&sum| sum <= self.most);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A part of a [`Budget`], which goes back when it is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    counted: usize,
}

impl Share {
    /// Of nothing so far.
    pub fn new(budget: &Arc<Budget>) -> Self {
        Share {
            budget: Arc::clone(budget),
            counted: 0,
        }
    }

    /// Makes it one of `held` bytes. False where the budget has not so much, and then it stays what it was.
    #[must_use]
    pub fn set(&mut self, held: usize) -> bool {
        let counted = held.saturating_sub(Budget::FREE_BYTES);
        let allowed = match counted.checked_sub(self.counted) {
            Some(0) => true,
            Some(more) => self.budget.take(more),
            None => {
                self.budget.give_back(self.counted - counted);
                true
            }
        };
        if allowed {
            self.counted = counted;
        }
        allowed
    }

    /// The budget that it is a part of.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(self.counted);
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, Share};
    use proptest::prelude::*;

    #[test]
    fn a_small_request_is_free_and_large_ones_share_what_there_is() {
        let budget = Budget::new(100);
        let [mut small, mut first, mut second] = [(); 3].map(|()| Share::new(&budget));
        assert!(small.set(Budget::FREE_BYTES));
        assert_eq!(budget.taken(), 0);
        assert!(first.set(Budget::FREE_BYTES + 60));
        assert!(!second.set(Budget::FREE_BYTES + 41));
        assert_eq!(budget.taken(), 60, "a refusal takes nothing");
        assert!(second.set(Budget::FREE_BYTES + 40));
        drop(first);
        assert_eq!(budget.taken(), 40);
    }

    proptest! {
        #[test]
        fn what_is_taken_is_what_the_shares_hold_and_never_more_than_there_is(
            sizes in prop::collection::vec((0usize..4, 0usize..200_000), 0..60),
        ) {
            let budget = Budget::new(250_000);
            let mut shares = [(); 4].map(|()| Share::new(&budget));
            let mut held = [0usize; 4];
            for (index, size) in sizes {
                if shares[index].set(size) {
                    held[index] = size.saturating_sub(Budget::FREE_BYTES);
                }
                prop_assert_eq!(budget.taken(), held.iter().sum::<usize>());
                prop_assert!(budget.taken() <= budget.most());
            }
            drop(shares);
            prop_assert_eq!(budget.taken(), 0);
        }
    }
}
