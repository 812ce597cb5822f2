//! What an encoder needs beside the rest: fast kernels equal the reference, on every instruction set that this processor
//! has, with one thread and with two.

use kernels::{AttentionShape, Bits, Isa, Kernels, Matrix, reference};

fn all() -> Vec<Kernels> {
    let sets = Isa::available();
    let each = sets
        .iter()
        .flat_map(|isa| [1, 2].map(|threads| Kernels::with_isa(threads, *isa)));
    each.collect()
}

/// Reproducible values in −1..1.
fn values(count: usize) -> Vec<f32> {
    let one = |index: usize| ((index * 7919 + 13) % 4001) as f32 / 2000.0 - 1.0;
    (0..count).map(one).collect()
}

fn shape(heads: usize, head_dim: usize) -> AttentionShape {
    AttentionShape {
        heads,
        kv_heads: heads,
        head_dim,
        scale: 1.0 / (head_dim as f32).sqrt(),
    }
}

fn attend(kernels: &Kernels, qkv: &[f32], shape: AttentionShape, lengths: &[usize]) -> Vec<f32> {
    let rows: usize = lengths.iter().sum();
    let mut out = vec![f32::NAN; rows * shape.heads * shape.head_dim];
    kernels.bidirectional_attention(qkv, shape, lengths, &mut out);
    out
}

#[test]
fn the_error_function_unit_is_within_a_millionth() {
    let x: Vec<f32> = (-80_000..=80_000)
        .map(|step| step as f32 / 8000.0)
        .collect();
    for kernels in all() {
        let mut ours = x.clone();
        kernels.gelu_erf(&mut ours);
        for (x, ours) in x.iter().zip(&ours) {
            let exact = reference::gelu_erf(*x);
            let error = (ours - exact).abs();
            assert!(
                error <= 1e-6 * exact.abs().max(1.0),
                "{x}: {ours} for {exact}"
            );
        }
    }
}

#[test]
fn the_reference_of_the_unit_has_the_known_values() {
    for (x, exact) in [
        (0.0, 0.0),
        (1.0, 0.841_344_7),
        (-1.0, -0.158_655_25),
        (-3.0, -0.004_049_694),
        (9.0, 9.0),
    ] {
        assert!((reference::gelu_erf(x) - exact).abs() < 1e-6, "{x}");
    }
}

#[test]
fn attention_of_an_encoder_equals_the_reference() {
    for (heads, head_dim) in [(1, 8), (12, 32), (2, 64), (3, 20), (2, 48)] {
        let shape = shape(heads, head_dim);
        let lengths = [1, 2, 5, 16, 17, 40, 3];
        let rows: usize = lengths.iter().sum();
        let qkv = values(rows * shape.width());
        let of = |row: usize, column: usize| {
            qkv[row * shape.width() + column * head_dim..][..head_dim].to_vec()
        };
        let mut exact = Vec::new();
        let mut first = 0;
        for tokens in lengths {
            for row in first..first + tokens {
                for head in 0..heads {
                    let all = |part: usize| -> Vec<Vec<f32>> {
                        (first..first + tokens)
                            .map(|row| of(row, part * heads + head))
                            .collect()
                    };
                    exact.extend(reference::attention(
                        &of(row, head),
                        &all(1),
                        &all(2),
                        shape.scale,
                    ));
                }
            }
            first += tokens;
        }
        for kernels in all() {
            let ours = attend(&kernels, &qkv, shape, &lengths);
            for (ours, exact) in ours.iter().zip(&exact) {
                assert!((ours - exact).abs() < 2e-6, "{ours} for {exact}");
            }
        }
    }
}

#[test]
fn a_sequence_is_the_same_to_the_last_bit_in_any_company() {
    let shape = shape(4, 32);
    let qkv = values(60 * shape.width());
    for kernels in all() {
        let together = attend(&kernels, &qkv, shape, &[7, 33, 20]);
        let mut first = 0;
        for tokens in [7, 33, 20] {
            let alone = &qkv[first * shape.width()..][..tokens * shape.width()];
            let alone = attend(&kernels, alone, shape, &[tokens]);
            let values = shape.heads * shape.head_dim;
            let part = &together[first * values..][..tokens * values];
            assert!(
                alone
                    .iter()
                    .zip(part)
                    .all(|(a, b)| a.to_bits() == b.to_bits())
            );
            first += tokens;
        }
    }
}

#[test]
fn more_rows_than_a_cache_holds_have_the_product_that_each_has_alone() {
    let (inputs, outputs, rows) = (4096, 33, 70);
    let (weights, x) = (values(outputs * inputs), values(rows * inputs));
    for kernels in all() {
        for matrix in [
            Matrix::from_f32(&kernels, &weights, outputs, inputs),
            Matrix::quantize(&kernels, &weights, outputs, inputs, Bits::Eight),
        ] {
            let mut together = vec![f32::NAN; rows * outputs];
            kernels.matmul(&x, rows, &matrix, None, &mut together);
            for (x, together) in x.chunks(inputs).zip(together.chunks(outputs)) {
                let mut alone = vec![f32::NAN; outputs];
                kernels.matmul(x, 1, &matrix, None, &mut alone);
                assert_eq!(alone, together);
            }
        }
    }
}
