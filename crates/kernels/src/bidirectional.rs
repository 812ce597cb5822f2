//! Attention of an encoder: every row of a sequence to all rows of it. Sequences lie one after the other without padding,
//! and nothing is kept.
//!
//! Sixteen queries are the lanes of every vector: scores are a product of matrices, `[tokens][16 queries]`; their softmax
//! goes lane by lane; and the weighted sum of the values is a product again. Both are the tiles of the matmul.

use crate::attention::AttentionShape;
use crate::kernels::Shared;
use crate::lanes::{LANES, Lanes, exp, for_isa};
use crate::matmul::{TILE, floats};
use crate::{Isa, Kernels};
use std::cell::RefCell;

/// One head of one sequence.
#[derive(Clone, Copy)]
struct Task {
    /// Row of the sequence's first token.
    first: usize,
    /// Its tokens.
    tokens: usize,
    head: usize,
}

/// What all tasks have in common.
struct Job<'a> {
    isa: Isa,
    shape: AttentionShape,
    qkv: &'a [f32],
    out: Shared<f32>,
}

/// Memory that a thread keeps from task to task.
#[derive(Default)]
struct Scratch {
    /// Eight tokens at a time: `[head_dim][8]`; the last tile has those that are left.
    keys: Vec<f32>,
    /// Eight values of the head at a time: `[tokens][8]`; the last tile has those that are left.
    values: Vec<f32>,
    /// `[head_dim][16 queries]`.
    queries: Vec<f32>,
    /// `[tokens][16 queries]`.
    scores: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Kernels {
    /// Attends from each row to all rows of its sequence: `out[rows × heads·head_dim]`. Of `qkv`, the first `lengths[0]`
    /// rows are the first sequence, and so on. There are as many KV heads as query heads.
    pub fn bidirectional_attention(
        &self,
        qkv: &[f32],
        shape: AttentionShape,
        lengths: &[usize],
        out: &mut [f32],
    ) {
        let rows: usize = lengths.iter().sum();
        assert_eq!(shape.heads, shape.kv_heads, "a KV head for each query head");
        assert_eq!(qkv.len(), rows * shape.width(), "q, k and v for each row");
        assert_eq!(
            out.len(),
            rows * shape.heads * shape.head_dim,
            "a row out for each row in"
        );
        let tasks = tasks(shape.heads, lengths);
        let job = Job {
            isa: self.isa(),
            shape,
            qkv,
            out: Shared::new(out),
        };
        self.for_each(tasks.len(), 1, |range| {
            SCRATCH.with_borrow_mut(|scratch| {
                for task in &tasks[range] {
                    scratch.gather(&job, task);
                    for first in (0..task.tokens).step_by(LANES) {
                        scratch.attend(&job, task, first);
                    }
                }
            });
        });
    }
}

/// The longest sequences first, so that no thread is left alone with one at the end.
fn tasks(heads: usize, lengths: &[usize]) -> Vec<Task> {
    let mut first = 0;
    let mut tasks = Vec::with_capacity(lengths.len() * heads);
    for &tokens in lengths {
        tasks.extend((0..heads).map(|head| Task {
            first,
            tokens,
            head,
        }));
        first += tokens;
    }
    tasks.sort_by_key(|task| std::cmp::Reverse(task.tokens));
    tasks
}

impl Scratch {
    /// Keys and values of one head, in the order in which the tiles read them.
    fn gather(&mut self, job: &Job<'_>, task: &Task) {
        let (dim, heads) = (job.shape.head_dim, job.shape.heads);
        let (tokens, width) = (task.tokens, job.shape.width());
        let of = |token: usize, part: usize| {
            let row = (task.first + token) * width;
            &job.qkv[row + (part * heads + task.head) * dim..][..dim]
        };
        self.keys.resize(tokens * dim, 0.0);
        for (tile, keys) in self.keys.chunks_mut(TILE * dim).enumerate() {
            let rows = keys.len() / dim;
            for row in 0..rows {
                let places = keys[row..].iter_mut().step_by(rows);
                for (place, key) in places.zip(of(tile * TILE + row, 1)) {
                    *place = *key;
                }
            }
        }
        self.values.resize(tokens * dim, 0.0);
        for (tile, values) in self.values.chunks_mut(TILE * tokens).enumerate() {
            let rows = values.len() / tokens;
            for (token, place) in values.chunks_exact_mut(rows).enumerate() {
                place.copy_from_slice(&of(token, 2)[tile * TILE..][..rows]);
            }
        }
    }

    /// Sixteen queries from `first` on, or those that are left. The order of every sum depends on positions alone, so that
    /// a row is the same to the last bit in any company.
    fn attend(&mut self, job: &Job<'_>, task: &Task, first: usize) {
        let (dim, heads) = (job.shape.head_dim, job.shape.heads);
        let queries = LANES.min(task.tokens - first);
        // Lanes without a query are computed, and dropped.
        self.queries.clear();
        self.queries.resize(LANES * dim, 0.0);
        for query in 0..queries {
            let row = (task.first + first + query) * job.shape.width();
            let row = &job.qkv[row + task.head * dim..][..dim];
            for (place, value) in self.queries[query..].iter_mut().step_by(LANES).zip(row) {
                *place = *value;
            }
        }
        self.scores.resize(task.tokens * LANES, 0.0);
        let tiles = self.keys.chunks(TILE * dim);
        for (keys, scores) in tiles.zip(self.scores.chunks_mut(TILE * LANES)) {
            let tile = floats(job.isa, &self.queries, keys, keys.len() / dim);
            for (scores, lanes) in scores.as_chunks_mut::<LANES>().0.iter_mut().zip(&tile) {
                *scores = *lanes;
            }
        }
        let inverse = softmax_for(job.isa, &mut self.scores, job.shape.scale);
        for (tile, values) in self.values.chunks(TILE * task.tokens).enumerate() {
            let rows = values.len() / task.tokens;
            let sums = floats(job.isa, &self.scores, values, rows);
            for query in 0..queries {
                let row = (task.first + first + query) * heads * dim;
                // SAFETY: rows of different sequences, and columns of different heads, do not overlap.
                let out = unsafe { job.out.slice(row + task.head * dim + tile * TILE, rows) };
                for (out, sums) in out.iter_mut().zip(&sums) {
                    *out = sums[query] * inverse[query];
                }
            }
        }
    }
}

fn softmax_for(isa: Isa, scores: &mut [f32], scale: f32) -> Lanes {
    let mut inverse = [0.0; LANES];
    let out = &mut inverse;
    for_isa!(isa, softmax(scores: &mut [f32], scale: f32, out: &mut Lanes));
    inverse
}

/// Scores `[tokens][16]` to weights, lane by lane; `out` is what they are still to be multiplied with to sum to 1.
#[inline(always)]
fn softmax<const FMA: bool>(scores: &mut [f32], scale: f32, out: &mut Lanes) {
    let mut most = [f32::NEG_INFINITY; LANES];
    let scores = scores.as_chunks_mut::<LANES>().0;
    for scores in &*scores {
        for lane in 0..LANES {
            most[lane] = if scores[lane] > most[lane] {
                scores[lane]
            } else {
                most[lane]
            };
        }
    }
    let mut sums = [0.0; LANES];
    for scores in scores {
        for lane in 0..LANES {
            scores[lane] = exp::<FMA>((scores[lane] - most[lane]) * scale);
            sums[lane] += scores[lane];
        }
    }
    for lane in 0..LANES {
        out[lane] = 1.0 / sums[lane];
    }
}
