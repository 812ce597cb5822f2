//! Fast kernels equal the reference, on every instruction set that this processor has, with one thread and with two; and
//! a row is the same to the last bit in any company.

use kernels::{
    AttentionShape, Bits, Isa, Kernels, KvCache, KvChunk, KvType, Matrix, Offset, Pairing,
    Quantized, RopeTable, reference,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Every choice of instructions and threads.
fn all() -> Vec<Kernels> {
    let sets = Isa::available();
    let each = sets
        .iter()
        .flat_map(|isa| [1, 2].map(|threads| Kernels::with_isa(threads, *isa)));
    each.collect()
}

/// Reproducible values in −1..1.
fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

#[track_caller]
fn near(ours: &[f32], exact: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), exact.len());
    for (index, (a, b)) in ours.iter().zip(exact).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * (1.0 + b.abs()),
            "{index}: {a} for {b}"
        );
    }
}

fn check(
    cases: u32,
    strategy: impl Strategy<Value = (usize, usize, usize, u64)>,
    test: impl Fn((usize, usize, usize, u64)),
) {
    let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
    let run = runner.run(&strategy, |case| {
        test(case);
        Ok(())
    });
    run.unwrap();
}

/// Symmetric like `Q4_0` and `Q8_0`, or with minima like `Q4_1`.
fn quantized(outputs: usize, inputs: usize, bits: Bits, mins: bool, seed: u64) -> Quantized {
    let mut q =
        Quantized::quantize(&values(outputs * inputs, seed), outputs, inputs, bits).unwrap();
    q.offset = match (mins, bits) {
        (false, Bits::Four) => Offset::Zero(8),
        (false, Bits::Eight) => Offset::Zero(128),
        (true, _) => Offset::Mins(vec![0xb800; q.scales.len()]),
    };
    q
}

#[test]
fn a_product_with_32_bit_weights_equals_the_reference() {
    let kernels = all();
    check(
        24,
        (1..40usize, 1..70usize, 1..20usize, any::<u64>()),
        |(outputs, inputs, rows, seed)| {
            let (w, x) = (
                values(outputs * inputs, seed),
                values(rows * inputs, seed + 1),
            );
            let bias = values(outputs, seed + 2);
            let exact = reference::matmul(&x, &w, inputs, Some(&bias));
            for kernels in &kernels {
                let matrix = Matrix::from_f32(kernels, &w, outputs, inputs);
                let mut y = vec![f32::NAN; rows * outputs];
                kernels.matmul(&x, rows, &matrix, Some(&bias), &mut y);
                near(&y, &exact, 1e-5);
                kernels.matmul_add(&x, rows, &matrix, Some(&bias), &mut y);
                near(&y, &exact.iter().map(|y| 2.0 * y).collect::<Vec<_>>(), 2e-5);
            }
        },
    );
}

#[test]
fn a_product_with_quantised_weights_equals_the_reference_on_the_same_bytes() {
    let kernels = all();
    check(
        24,
        (1..40usize, 1..6usize, 1..20usize, any::<u64>()),
        |(outputs, blocks, rows, seed)| {
            let inputs = blocks * 32;
            let x = values(rows * inputs, seed + 1);
            for bits in [Bits::Four, Bits::Eight] {
                for mins in [false, true] {
                    let q = quantized(outputs, inputs, bits, mins, seed);
                    let w = q.dequantize();
                    let exact = reference::matmul(&reference::as_bytes(&x), &w, inputs, None);
                    for kernels in &kernels {
                        let matrix = Matrix::from_quantized(kernels, &q);
                        let mut y = vec![f32::NAN; rows * outputs];
                        kernels.matmul(&x, rows, &matrix, None, &mut y);
                        near(&y, &exact, 2e-4);
                    }
                }
            }
        },
    );
}

#[test]
fn quantised_weights_stay_near_what_they_were() {
    let w = values(16 * 64, 5);
    for (bits, tolerance) in [(Bits::Eight, 0.005), (Bits::Four, 0.07)] {
        let q = Quantized::quantize(&w, 16, 64, bits).unwrap();
        near(&q.dequantize(), &w, tolerance);
    }
    assert_eq!(
        Quantized::quantize(&w, 32, 32, Bits::Four).map(|q| q.outputs),
        Some(32)
    );
    assert_eq!(Quantized::quantize(&w[..40], 2, 20, Bits::Four), None);
}

#[test]
fn a_row_of_a_packed_matrix_comes_back() {
    let kernels = Kernels::new(1);
    let w = values(37 * 64, 3);
    let mut row = vec![0.0; 64];
    for (bits, mins) in [
        (Bits::Four, true),
        (Bits::Four, false),
        (Bits::Eight, false),
    ] {
        let q = quantized(37, 64, bits, mins, 3);
        let matrix = Matrix::from_quantized(&kernels, &q);
        let all = q.dequantize();
        for index in [0, 15, 16, 36] {
            matrix.row(index, &mut row);
            assert_eq!(row, all[index * 64..][..64]);
        }
    }
    Matrix::from_f32(&kernels, &w, 37, 64).row(36, &mut row);
    assert_eq!(row, w[36 * 64..]);
}

#[test]
fn stacked_matrices_give_stacked_products() {
    let (a, b) = (
        quantized(5, 32, Bits::Four, true, 1),
        quantized(7, 32, Bits::Four, true, 2),
    );
    let both = Quantized::concat(&[&a, &b]).unwrap();
    assert_eq!(both.dequantize(), [a.dequantize(), b.dequantize()].concat());
    let other = quantized(5, 32, Bits::Eight, false, 1);
    assert_eq!(Quantized::concat(&[&a, &other]), None);
}

#[test]
fn a_row_of_a_product_is_the_same_in_any_company() {
    let (outputs, inputs, rows) = (35, 96, 21);
    let x = values(rows * inputs, 9);
    for kernels in all() {
        let matrices = [
            Matrix::from_f32(&kernels, &values(outputs * inputs, 4), outputs, inputs),
            Matrix::from_quantized(&kernels, &quantized(outputs, inputs, Bits::Four, true, 4)),
            Matrix::from_quantized(&kernels, &quantized(outputs, inputs, Bits::Eight, false, 4)),
        ];
        for matrix in &matrices {
            let mut together = vec![0.0; rows * outputs];
            kernels.matmul(&x, rows, matrix, None, &mut together);
            for row in 0..rows {
                let mut alone = vec![0.0; outputs];
                kernels.matmul(&x[row * inputs..][..inputs], 1, matrix, None, &mut alone);
                assert_eq!(alone, together[row * outputs..][..outputs]);
            }
        }
    }
}

#[test]
fn norms_and_activations_equal_the_reference() {
    for kernels in all() {
        for width in [1, 16, 64, 100, 576] {
            let rows = 9;
            let x = values(rows * width, 1);
            let (weight, bias) = (values(width, 2), values(width, 3));
            let mut out = vec![0.0; rows * width];
            kernels.rms_norm(&x, &weight, 1e-5, &mut out);
            near(&out, &reference::rms_norm(&x, &weight, 1e-5), 1e-5);
            if width > 1 {
                kernels.layer_norm(&x, &weight, &bias, 1e-5, &mut out);
                near(&out, &reference::layer_norm(&x, &weight, &bias, 1e-5), 1e-4);
            }
            let gate_up: Vec<f32> = values(2 * rows * width, 4)
                .iter()
                .map(|x| x * 20.0)
                .collect();
            kernels.silu_mul(&gate_up, width, &mut out);
            let exact: Vec<f32> = gate_up
                .chunks_exact(2 * width)
                .flat_map(|row| (0..width).map(|i| reference::silu(row[i]) * row[width + i]))
                .collect();
            near(&out, &exact, 1e-5);
            let mut gelu: Vec<f32> = x.iter().map(|x| x * 8.0).collect();
            let exact: Vec<f32> = gelu.iter().map(|x| reference::gelu_tanh(*x)).collect();
            kernels.gelu_tanh(&mut gelu);
            near(&gelu, &exact, 1e-5);
        }
    }
}

#[test]
fn heads_turn_as_in_the_reference_and_the_rest_of_a_row_stays() {
    let frequencies = [1.0, 0.1, 0.01];
    for kernels in all() {
        for (pairing, adjacent) in [(Pairing::Half, false), (Pairing::Adjacent, true)] {
            let table = RopeTable::new(&frequencies, 50, pairing);
            let x = values(3 * 20, 7);
            let positions = [0, 7, 49];
            let mut turned = x.clone();
            kernels.rope(&mut turned, 20, 4, 2, &positions, &table);
            let mut exact = x.clone();
            for (row, position) in exact.chunks_exact_mut(20).zip(positions) {
                for head in row[4..16].chunks_exact_mut(6) {
                    reference::rope(head, position, &frequencies, adjacent);
                }
            }
            near(&turned, &exact, 1e-5);
            assert_eq!(turned[..20], x[..20], "position 0 turns nothing");
        }
    }
}

/// A sequence of `positions`, computed in chunks of the given sizes, with its blocks scattered over the cache.
fn attend(
    kernels: &Kernels,
    qkv: &[f32],
    shape: AttentionShape,
    sizes: &[usize],
    kind: KvType,
    spread: u32,
) -> Vec<f32> {
    let width = shape.width();
    let positions = qkv.len() / width;
    let count = u32::try_from(positions.div_ceil(16)).unwrap();
    let mut cache = KvCache::new(2, 64, shape.kv_heads, shape.head_dim, kind);
    let blocks: Vec<u32> = (0..count).map(|block| (block * spread + 5) % 61).collect();
    let mut out = Vec::new();
    let mut start = 0;
    for size in sizes.iter().cycle() {
        let rows = (*size).min(positions - start);
        let chunk = KvChunk {
            blocks: &blocks,
            start,
            rows: 0..rows,
        };
        let mut part = vec![f32::NAN; rows * shape.heads * shape.head_dim];
        kernels.attention(
            &qkv[start * width..][..rows * width],
            shape,
            &mut cache,
            1,
            &[chunk],
            &mut part,
        );
        out.extend(part);
        start += rows;
        if start == positions {
            return out;
        }
    }
    out
}

#[test]
fn attention_equals_the_reference_in_any_chunks_and_blocks_to_the_last_bit() {
    let kernels = all();
    for (heads, kv_heads, head_dim) in [(4, 4, 8), (9, 3, 64), (8, 1, 40), (2, 2, 128)] {
        let shape = AttentionShape {
            heads,
            kv_heads,
            head_dim,
            scale: 1.0 / (head_dim as f32).sqrt(),
        };
        let positions = 70;
        let qkv = values(positions * shape.width(), 11);
        let of = |position: usize, column: usize| {
            qkv[position * shape.width() + column..][..head_dim].to_vec()
        };
        let mut exact = Vec::new();
        for position in 0..positions {
            for head in 0..heads {
                let kv_head = head / (heads / kv_heads);
                let keys: Vec<_> = (0..=position)
                    .map(|p| of(p, (heads + kv_head) * head_dim))
                    .collect();
                let vals: Vec<_> = (0..=position)
                    .map(|p| of(p, (heads + kv_heads + kv_head) * head_dim))
                    .collect();
                exact.extend(reference::attention(
                    &of(position, head * head_dim),
                    &keys,
                    &vals,
                    shape.scale,
                ));
            }
        }
        for kernels in &kernels {
            for (kind, tolerance) in [(KvType::F32, 1e-5), (KvType::F16, 2e-3)] {
                let whole = attend(kernels, &qkv, shape, &[positions], kind, 1);
                near(&whole, &exact, tolerance);
                for (sizes, spread) in [(vec![1], 7), (vec![5, 1, 17, 30], 11)] {
                    assert_eq!(attend(kernels, &qkv, shape, &sizes, kind, spread), whole);
                }
            }
        }
    }
}

#[test]
fn a_sequence_attends_to_its_own_blocks_alone() {
    let kernels = Kernels::new(2);
    let shape = AttentionShape {
        heads: 2,
        kv_heads: 1,
        head_dim: 16,
        scale: 0.25,
    };
    let (a, b) = (values(20 * shape.width(), 1), values(9 * shape.width(), 2));
    let both = [a.clone(), b.clone()].concat();
    for kind in [KvType::F32, KvType::F16] {
        let mut cache = KvCache::new(1, 8, 1, 16, kind);
        let chunks = [
            KvChunk {
                blocks: &[3, 1],
                start: 0,
                rows: 0..20,
            },
            KvChunk {
                blocks: &[2],
                start: 0,
                rows: 20..29,
            },
        ];
        let mut out = vec![0.0; 29 * 32];
        kernels.attention(&both, shape, &mut cache, 0, &chunks, &mut out);
        let alone_a = attend(&kernels, &a, shape, &[20], kind, 1);
        let alone_b = attend(&kernels, &b, shape, &[9], kind, 1);
        assert_eq!(out, [alone_a, alone_b].concat());
    }
}

#[test]
fn a_copied_block_holds_the_same_keys_and_values() {
    let kernels = Kernels::new(1);
    let shape = AttentionShape {
        heads: 1,
        kv_heads: 1,
        head_dim: 8,
        scale: 1.0,
    };
    let qkv = values(12 * shape.width(), 1);
    for kind in [KvType::F32, KvType::F16] {
        let mut cache = KvCache::new(1, 4, 1, 8, kind);
        let mut out = vec![0.0; 10 * 8];
        let first = &qkv[..10 * shape.width()];
        kernels.attention(
            first,
            shape,
            &mut cache,
            0,
            &[KvChunk {
                blocks: &[0],
                start: 0,
                rows: 0..10,
            }],
            &mut out,
        );
        cache.copy_block(0, 3);
        let next = &qkv[10 * shape.width()..][..shape.width()];
        let mut from = |block: u32| {
            let mut out = vec![0.0; 8];
            let chunk = KvChunk {
                blocks: &[block],
                start: 10,
                rows: 0..1,
            };
            kernels.attention(next, shape, &mut cache, 0, &[chunk], &mut out);
            out
        };
        assert_eq!(from(0), from(3));
    }
}
