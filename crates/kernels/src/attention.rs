//! Causal attention over paged keys and values, read where they lie.

use crate::kernels::Shared;
use crate::kv_cache::{KvCache, TOKENS};
use crate::lanes::{LANES, Lanes, exp, fma, fma_lanes, for_isa, load, sum};
use crate::{Isa, Kernels};
use std::cell::RefCell;
use std::ops::Range;

/// The heads of a layer. A row of `qkv` is `[q: heads·head_dim | k: kv_heads·head_dim | v: kv_heads·head_dim]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionShape {
    /// Query heads, a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Values of a head.
    pub head_dim: usize,
    /// What scores are multiplied with, `1/√head_dim` as a rule.
    pub scale: f32,
}

impl AttentionShape {
    /// Values of a row of q, k and v.
    pub const fn width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    /// Values of the query heads that share a KV head.
    const fn group(&self) -> usize {
        self.heads / self.kv_heads * self.head_dim
    }
}

/// Rows of one sequence.
#[derive(Clone, Debug)]
pub struct KvChunk<'a> {
    /// Its block table: entry `i` holds positions `16·i` to `16·i + 15`; covers the last row's position.
    pub blocks: &'a [u32],
    /// Position of the first row.
    pub start: usize,
    /// Rows of `qkv`, one position each.
    pub rows: Range<usize>,
}

/// Rows of a chunk that are computed together, so that a block is read once for all of them.
const ROWS: usize = 8;

/// Queries that are multiplied with a vector of keys while it is in a register.
const QUERIES: usize = 6;

/// One piece of work: some rows of a chunk, and a KV head with the query heads that share it.
struct Task<'a> {
    chunk: &'a KvChunk<'a>,
    /// Within the chunk.
    first: usize,
    rows: usize,
    kv_head: usize,
}

/// What all tasks have in common.
struct Job<'a> {
    isa: Isa,
    cache: &'a KvCache,
    layer: usize,
    shape: AttentionShape,
    qkv: &'a [f32],
}

/// Memory that a thread keeps from task to task.
#[derive(Default)]
struct Scratch {
    /// A block's keys or values in 32 bits.
    block: Vec<f32>,
    /// `[query][positions]`, in whole blocks.
    scores: Vec<f32>,
    /// `[query][head_dim]`: what comes out.
    sums: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Kernels {
    /// Writes the keys and values of all rows into the cache, then attends from each row to all positions up to its
    /// own: `out[rows × heads·head_dim]`.
    pub fn attention(
        &self,
        qkv: &[f32],
        shape: AttentionShape,
        cache: &mut KvCache,
        layer: usize,
        chunks: &[KvChunk<'_>],
        out: &mut [f32],
    ) {
        check(qkv, shape, cache, chunks, out);
        write(qkv, shape, cache, layer, chunks);
        let tasks = tasks(shape, chunks);
        let job = Job {
            isa: self.isa(),
            cache,
            layer,
            shape,
            qkv,
        };
        let group = shape.group();
        let out = Shared::new(out);
        self.for_each(tasks.len(), 1, |range| {
            SCRATCH.with_borrow_mut(|scratch| {
                for task in &tasks[range] {
                    attend_for(&job, task, scratch);
                    for (row, sums) in scratch.sums.chunks_exact(group).enumerate() {
                        let row = task.chunk.rows.start + task.first + row;
                        let at = row * shape.heads * shape.head_dim + task.kv_head * group;
                        // SAFETY: rows of different tasks, and columns of different KV heads, do not overlap.
                        unsafe { out.slice(at, group) }.copy_from_slice(sums);
                    }
                }
            });
        });
    }
}

fn check(qkv: &[f32], shape: AttentionShape, cache: &KvCache, chunks: &[KvChunk<'_>], out: &[f32]) {
    let rows = qkv.len() / shape.width();
    assert_eq!(rows * shape.width(), qkv.len(), "whole rows of q, k and v");
    assert_eq!(
        out.len(),
        rows * shape.heads * shape.head_dim,
        "a row out for each row in"
    );
    assert_eq!(
        shape.heads % shape.kv_heads,
        0,
        "as many query heads on each KV head"
    );
    assert!(
        cache.kv_heads == shape.kv_heads && cache.head_dim == shape.head_dim,
        "a cache of that shape"
    );
    let mut free = 0;
    for chunk in chunks {
        assert!(
            chunk.rows.start >= free && chunk.rows.end <= rows,
            "rows of their own"
        );
        free = chunk.rows.end;
        let positions = chunk.start + chunk.rows.len();
        assert!(
            positions <= chunk.blocks.len() * TOKENS,
            "blocks for all rows"
        );
    }
}

fn write(
    qkv: &[f32],
    shape: AttentionShape,
    cache: &mut KvCache,
    layer: usize,
    chunks: &[KvChunk<'_>],
) {
    let dim = shape.head_dim;
    for chunk in chunks {
        for (position, row) in (chunk.start..).zip(chunk.rows.clone()) {
            let row = &qkv[row * shape.width()..][..shape.width()];
            let (keys, values) = row[shape.heads * dim..].split_at(shape.kv_heads * dim);
            for kv_head in 0..shape.kv_heads {
                let at = cache.place(layer, chunk.blocks[position / TOKENS], kv_head);
                let of = kv_head * dim..(kv_head + 1) * dim;
                cache.write(at, position % TOKENS, &keys[of.clone()], &values[of]);
            }
        }
    }
}

fn tasks<'a>(shape: AttentionShape, chunks: &'a [KvChunk<'a>]) -> Vec<Task<'a>> {
    let mut tasks = Vec::new();
    for chunk in chunks {
        // The last rows have the most to do: first, so that no thread is left alone with them at the end.
        for first in (0..chunk.rows.len()).step_by(ROWS).rev() {
            let rows = ROWS.min(chunk.rows.len() - first);
            tasks.extend((0..shape.kv_heads).map(|kv_head| Task {
                chunk,
                first,
                rows,
                kv_head,
            }));
        }
    }
    tasks
}

fn attend_for(job: &Job<'_>, task: &Task<'_>, scratch: &mut Scratch) {
    for_isa!(job.isa, attend(job: &Job<'_>, task: &Task<'_>, scratch: &mut Scratch));
}

/// One task, in three passes: scores of all positions, their exponentials, and the weighted sum of the values. The order
/// of every sum depends on positions alone, so that a row is the same to the last bit in any company.
#[inline(always)]
fn attend<const FMA: bool>(job: &Job<'_>, task: &Task<'_>, scratch: &mut Scratch) {
    let dim = job.shape.head_dim;
    let heads = job.shape.heads / job.shape.kv_heads;
    let queries = task.rows * heads;
    let last = task.chunk.start + task.first + task.rows;
    let blocks = &task.chunk.blocks[..last.div_ceil(TOKENS)];
    let width = blocks.len() * TOKENS;
    scratch.block.resize(dim * TOKENS, 0.0);
    scratch.scores.resize(queries * width, 0.0);
    scratch.sums.clear();
    scratch.sums.resize(queries * dim, 0.0);
    let place = |block: usize| job.cache.place(job.layer, blocks[block], task.kv_head);
    let query = |index: usize| {
        let row = task.chunk.rows.start + task.first + index / heads;
        let head = task.kv_head * heads + index % heads;
        &job.qkv[row * job.shape.width() + head * dim..][..dim]
    };
    for block in 0..blocks.len() {
        let keys = job.cache.read(job.isa, place(block), &mut scratch.block);
        let mut first = 0;
        while first < queries {
            let few = QUERIES.min(queries - first);
            let into = |index: usize| (first + index) * width + block * TOKENS;
            if few == QUERIES {
                let scores =
                    dot::<FMA, QUERIES>(keys, std::array::from_fn(|index| query(first + index)));
                for (index, scores_of) in scores.iter().enumerate() {
                    scratch.scores[into(index)..][..TOKENS].copy_from_slice(scores_of);
                }
            } else {
                for index in 0..few {
                    let [scores] = dot::<FMA, 1>(keys, [query(first + index)]);
                    scratch.scores[into(index)..][..TOKENS].copy_from_slice(&scores);
                }
            }
            first += few;
        }
    }
    for index in 0..queries {
        let positions = task.chunk.start + task.first + index / heads + 1;
        softmax::<FMA>(
            &mut scratch.scores[index * width..][..width],
            positions,
            job.shape.scale,
        );
    }
    for block in 0..blocks.len() {
        let at = place(block) + dim * TOKENS;
        let values = job.cache.read(job.isa, at, &mut scratch.block);
        for index in 0..queries {
            let positions = task.chunk.start + task.first + index / heads + 1;
            let tokens = positions.saturating_sub(block * TOKENS).min(TOKENS);
            let weights = &scratch.scores[index * width + block * TOKENS..][..tokens];
            weigh::<FMA>(weights, values, &mut scratch.sums[index * dim..][..dim]);
        }
    }
}

/// Scores of sixteen tokens: `keys` is `[head_dim][16]`.
#[inline(always)]
fn dot<const FMA: bool, const N: usize>(keys: &[f32], queries: [&[f32]; N]) -> [Lanes; N] {
    let mut scores = [[0.0; LANES]; N];
    for (dim, keys) in keys.as_chunks::<LANES>().0.iter().enumerate() {
        for index in 0..N {
            fma_lanes::<FMA>(keys, queries[index][dim], &mut scores[index]);
        }
    }
    scores
}

/// Scores to weights that sum to 1, over the first `positions`; the others become 0.
#[inline(always)]
fn softmax<const FMA: bool>(scores: &mut [f32], positions: usize, scale: f32) {
    scores[positions..].fill(f32::NEG_INFINITY);
    let mut most = [f32::NEG_INFINITY; LANES];
    for scores in scores.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            most[lane] = if scores[lane] > most[lane] {
                scores[lane]
            } else {
                most[lane]
            };
        }
    }
    let most = most.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0; LANES];
    for scores in scores.as_chunks_mut::<LANES>().0 {
        for lane in 0..LANES {
            scores[lane] = exp::<FMA>((scores[lane] - most) * scale);
            sums[lane] += scores[lane];
        }
    }
    let inverse = 1.0 / sum(&sums);
    for score in scores {
        *score *= inverse;
    }
}

/// Adds `weights[token] · values[token]` to `sums`; `values` is `[16][head_dim]`.
#[inline(always)]
fn weigh<const FMA: bool>(weights: &[f32], values: &[f32], sums: &mut [f32]) {
    /// Vectors of sums that stay in registers.
    const VECTORS: usize = 4;
    let dim = sums.len();
    let mut from = 0;
    while from + VECTORS * LANES <= dim {
        let into = &mut sums[from..from + VECTORS * LANES];
        let mut lanes: [Lanes; VECTORS] =
            std::array::from_fn(|vector| load(&into[vector * LANES..]));
        for (token, weight) in weights.iter().enumerate() {
            let row = &values[token * dim + from..][..VECTORS * LANES];
            for (lanes, row) in lanes.iter_mut().zip(row.as_chunks::<LANES>().0) {
                fma_lanes::<FMA>(row, *weight, lanes);
            }
        }
        for (into, lanes) in into.chunks_exact_mut(LANES).zip(&lanes) {
            into.copy_from_slice(lanes);
        }
        from += VECTORS * LANES;
    }
    for (token, weight) in weights.iter().enumerate() {
        for (sum, value) in sums[from..]
            .iter_mut()
            .zip(&values[token * dim + from..][..dim - from])
        {
            *sum = fma::<FMA>(*value, *weight, *sum);
        }
    }
}
