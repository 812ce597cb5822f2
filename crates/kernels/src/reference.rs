//! Everything once more, as plainly as it can be said: one value at a time, in 32 bits, on one thread. What the fast
//! kernels are tested against.

/// `x · Wᵀ + bias`; `weights` is `[outputs × inputs]`, `x` is `[rows × inputs]`.
pub fn matmul(x: &[f32], weights: &[f32], inputs: usize, bias: Option<&[f32]>) -> Vec<f32> {
    let mut y = Vec::new();
    for x in x.chunks_exact(inputs) {
        for (output, weights) in weights.chunks_exact(inputs).enumerate() {
            let products = x.iter().zip(weights).map(|(x, w)| x * w);
            y.push(products.sum::<f32>() + bias.map_or(0.0, |bias| bias[output]));
        }
    }
    y
}

/// Each block of 32 values as the byte dot products see it: rounded to 127 steps of its greatest size.
pub fn as_bytes(x: &[f32]) -> Vec<f32> {
    let mut out = Vec::new();
    for block in x.chunks(crate::BLOCK) {
        let most = block.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
        let scale = most / 127.0;
        out.extend(
            block
                .iter()
                .map(|x| (x * inverse).round_ties_even() * scale),
        );
    }
    out
}

/// `x / sqrt(mean(x²) + eps) · weight`, row by row.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let mut out = Vec::new();
    for x in x.chunks_exact(weight.len()) {
        let mean = x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32;
        out.extend(
            x.iter()
                .zip(weight)
                .map(|(x, w)| x / (mean + eps).sqrt() * w),
        );
    }
    out
}

/// `(x − mean) / sqrt(variance + eps) · weight + bias`, row by row.
pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32) -> Vec<f32> {
    let mut out = Vec::new();
    for x in x.chunks_exact(weight.len()) {
        let mean = x.iter().sum::<f32>() / x.len() as f32;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / x.len() as f32;
        let normal = x.iter().map(|x| (x - mean) / (variance + eps).sqrt());
        out.extend(normal.zip(weight).zip(bias).map(|((x, w), b)| x * w + b));
    }
    out
}

/// `x / (1 + e^−x)`.
pub fn silu(x: f32) -> f32 {
    x / (1.0 + (-x).exp())
}

/// `x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))`.
pub fn gelu_tanh(x: f32) -> f32 {
    let root = (2.0 / std::f32::consts::PI).sqrt();
    0.5 * x * (1.0 + (root * (x + 0.044_715 * x.powi(3))).tanh())
}

/// `x·Φ(x)` with Φ the normal distribution, in 64 bits: e^−x²/2 times the series of `erf` (Abramowitz and Stegun, 7.1.6),
/// whose terms are all of one sign.
#[allow(
    clippy::cast_possible_truncation,
    reason = "networks compute in 32 bits"
)]
pub fn gelu_erf(x: f32) -> f32 {
    let x = f64::from(x);
    let z = x / std::f64::consts::SQRT_2;
    if z.abs() > 6.0 {
        // erf is ±1 to the last bit.
        return x.max(0.0) as f32;
    }
    let mut term = z;
    let mut sum = z;
    for n in 1..200 {
        term *= 2.0 * z * z / f64::from(2 * n + 1);
        sum += term;
    }
    let erf = 2.0 / std::f64::consts::PI.sqrt() * (-z * z).exp() * sum;
    (0.5 * x * (1.0 + erf)) as f32
}

/// Turns one head by its position; pairs are `(i, i + half)`, or `(2i, 2i + 1)` where `adjacent`.
pub fn rope(head: &mut [f32], position: u32, inverse_frequencies: &[f32], adjacent: bool) {
    let half = head.len() / 2;
    for (i, frequency) in inverse_frequencies.iter().enumerate() {
        let angle = position as f32 * frequency;
        let (cos, sin) = (angle.cos(), angle.sin());
        let (a, b) = if adjacent {
            (2 * i, 2 * i + 1)
        } else {
            (i, i + half)
        };
        (head[a], head[b]) = (head[a] * cos - head[b] * sin, head[b] * cos + head[a] * sin);
    }
}

/// Attention of one query over keys and values `[positions][head_dim]`.
pub fn attention(query: &[f32], keys: &[Vec<f32>], values: &[Vec<f32>], scale: f32) -> Vec<f32> {
    let score = |key: &Vec<f32>| query.iter().zip(key).map(|(q, k)| q * k).sum::<f32>() * scale;
    let scores: Vec<f32> = keys.iter().map(score).collect();
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = scores.iter().map(|score| (score - most).exp()).collect();
    let total: f32 = weights.iter().sum();
    let mut out = vec![0.0; query.len()];
    for (weight, value) in weights.iter().zip(values) {
        for (out, value) in out.iter_mut().zip(value) {
            *out += weight / total * value;
        }
    }
    out
}
