//! The choice of instructions, and the threads.

use crate::Isa;
use crate::team::Team;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The choice of instructions, and the threads. One caller at a time: it is `Send`, and not `Sync`.
pub struct Kernels {
    isa: Isa,
    team: RefCell<Team>,
    threads: usize,
    /// Quantised rows of the matmul under way, kept for their memory.
    pub(crate) activations: RefCell<crate::activations::Activations>,
}

impl Kernels {
    /// The best instructions that the processor has, and so many threads, the caller among them.
    pub fn new(threads: usize) -> Self {
        Self::with_isa(threads, Isa::detect())
    }

    /// These instructions, or portable ones where the processor has not got them.
    pub fn with_isa(threads: usize, isa: Isa) -> Self {
        let isa = if Isa::available().contains(&isa) {
            isa
        } else {
            Isa::Portable
        };
        let team = Team::new(threads.max(1));
        Kernels {
            isa,
            threads: team.threads(),
            team: RefCell::new(team),
            activations: RefCell::default(),
        }
    }

    /// Threads that compute.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The instructions in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Calls `f` with disjoint ranges of at most `grain` that cover `0..count`, from all threads; returns when all are
    /// done. What fits into one range is done by the caller.
    pub fn for_each(&self, count: usize, grain: usize, f: impl Fn(Range<usize>) + Sync) {
        let grain = grain.max(1);
        if count == 0 {
            return;
        }
        if self.threads == 1 || count <= grain {
            f(0..count);
            return;
        }
        let next = AtomicUsize::new(0);
        self.team.borrow_mut().run(&|| {
            loop {
                let start = next.fetch_add(grain, Ordering::Relaxed);
                if start >= count {
                    return;
                }
                f(start..(start + grain).min(count));
            }
        });
    }

    /// A grain that gives each thread a few ranges, so that a thread that is held up loses little.
    pub(crate) fn grain(&self, count: usize, smallest: usize) -> usize {
        count.div_ceil(self.threads * 4).max(smallest)
    }

    /// `f(index, row)` for each `width`-wide row of `data`, from all threads.
    pub fn rows(&self, data: &mut [f32], width: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
        /// Values that are worth a hand-over between threads.
        const VALUES: usize = 4096;
        assert!(width > 0 && data.len().is_multiple_of(width), "whole rows");
        let count = data.len() / width;
        let shared = Shared::new(data);
        let grain = self.grain(count, VALUES.div_ceil(width));
        self.for_each(count, grain, |range| {
            for index in range {
                // SAFETY: rows are disjoint and within `data`; each index is handed out once.
                f(index, unsafe { shared.slice(index * width, width) });
            }
        });
    }
}

/// A mutable slice whose parts are handed to several threads.
pub(crate) struct Shared<T> {
    pointer: *mut T,
    length: usize,
}

// SAFETY: access goes through `slice`, whose caller promises that parts do not overlap.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Shared {
            pointer: slice.as_mut_ptr(),
            length: slice.len(),
        }
    }

    /// A part of it.
    ///
    /// # Safety
    ///
    /// No two parts that are used at the same time overlap, and the slice outlives them.
    #[allow(clippy::mut_from_ref, reason = "that is what it is for; see Safety")]
    pub(crate) unsafe fn slice(&self, start: usize, length: usize) -> &mut [T] {
        assert!(
            start <= self.length && length <= self.length - start,
            "within the slice"
        );
        // SAFETY: within the slice by the assertion, disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(start), length) }
    }
}
