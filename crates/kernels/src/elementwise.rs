//! What is done to each row, or to each value.

use crate::Kernels;
use crate::lanes::{LANES, exp, fma, for_isa, sum};

/// Values that are worth a hand-over between threads, where each costs little.
const WORTH: usize = 8192;

impl Kernels {
    /// `out = x / sqrt(mean(x²) + eps) · weight`, for each row as wide as `weight` (Zhang and Sennrich, 2019).
    pub fn rms_norm(&self, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
        assert_eq!(x.len(), out.len(), "as many values out as in");
        let (isa, width) = (self.isa(), weight.len());
        self.rows(out, width, |row, out| {
            let x = &x[row * width..][..width];
            for_isa!(isa, rms_norm_row(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]));
        });
    }

    /// `out = (x − mean) / sqrt(variance + eps) · weight + bias`, for each row (Ba, Kiros and Hinton, 2016).
    pub fn layer_norm(&self, x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
        assert_eq!(x.len(), out.len(), "as many values out as in");
        assert_eq!(
            weight.len(),
            bias.len(),
            "a weight and a bias for each value of a row"
        );
        let (isa, width) = (self.isa(), weight.len());
        self.rows(out, width, |row, out| {
            let x = &x[row * width..][..width];
            for_isa!(isa, layer_norm_row(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]));
        });
    }

    /// `out[rows × width] = silu(gate) · up` of rows of `[gate | up]`; silu(x) = x / (1 + e^−x).
    pub fn silu_mul(&self, gate_up: &[f32], width: usize, out: &mut [f32]) {
        assert_eq!(
            gate_up.len(),
            2 * out.len(),
            "a gate and an up for each value out"
        );
        let isa = self.isa();
        self.rows(out, width, |row, out| {
            let (gate, up) = gate_up[2 * row * width..][..2 * width].split_at(width);
            for_isa!(isa, silu_mul_row(gate: &[f32], up: &[f32], out: &mut [f32]));
        });
    }

    /// The Gaussian error linear unit by its tanh formula, which GPT-2 uses (Hendrycks and Gimpel, 2016).
    pub fn gelu_tanh(&self, x: &mut [f32]) {
        let isa = self.isa();
        let shared = crate::kernels::Shared::new(x);
        let count = x.len();
        self.for_each(count, self.grain(count, WORTH), |range| {
            // SAFETY: ranges are disjoint and within `x`.
            let x = unsafe { shared.slice(range.start, range.len()) };
            for_isa!(isa, gelu_tanh_values(x: &mut [f32]));
        });
    }

    /// The Gaussian error linear unit itself, x·Φ(x), which BERT uses; within 10⁻⁶ of it.
    pub fn gelu_erf(&self, x: &mut [f32]) {
        let isa = self.isa();
        let shared = crate::kernels::Shared::new(x);
        let count = x.len();
        self.for_each(count, self.grain(count, WORTH), |range| {
            // SAFETY: ranges are disjoint and within `x`.
            let x = unsafe { shared.slice(range.start, range.len()) };
            for_isa!(isa, gelu_erf_values(x: &mut [f32]));
        });
    }
}

#[inline(always)]
fn sum_of<const FMA: bool>(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += f(chunk[lane]);
        }
    }
    sum(&lanes) + rest.iter().map(|x| f(*x)).sum::<f32>()
}

#[inline(always)]
fn rms_norm_row<const FMA: bool>(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let scale = 1.0 / (sum_of::<FMA>(x, |x| x * x) / x.len() as f32 + eps).sqrt();
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * weight;
    }
}

#[inline(always)]
fn layer_norm_row<const FMA: bool>(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    eps: f32,
    out: &mut [f32],
) {
    let mean = sum_of::<FMA>(x, |x| x) / x.len() as f32;
    let variance = sum_of::<FMA>(x, |x| (x - mean) * (x - mean)) / x.len() as f32;
    let scale = 1.0 / (variance + eps).sqrt();
    for (((out, x), weight), bias) in out.iter_mut().zip(x).zip(weight).zip(bias) {
        *out = (x - mean) * scale * weight + bias;
    }
}

#[inline(always)]
fn silu_mul_row<const FMA: bool>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = gate / (1.0 + exp::<FMA>(-gate)) * up;
    }
}

/// x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))); (1 + tanh(u))/2 = 1/(1 + e^−2u).
#[inline(always)]
fn gelu_tanh_values<const FMA: bool>(x: &mut [f32]) {
    const ROOT: f32 = 0.797_884_6;
    for x in x {
        let u = ROOT * fma::<FMA>(0.044_715 * *x * *x, *x, *x);
        *x /= 1.0 + exp::<FMA>(-2.0 * u);
    }
}

/// x·Φ(x), with 1 − Φ(|x|) = ½·(a₁t + … + a₅t⁵)·e^−x²/2, t = 1/(1 + p·|x|/√2) (Abramowitz and Stegun, 7.1.26: `erf` within
/// 1.5·10⁻⁷). The tail is computed as such, so that a value far below 0 loses nothing to 1.
#[inline(always)]
fn gelu_erf_values<const FMA: bool>(x: &mut [f32]) {
    /// p/√2.
    const P: f32 = 0.231_641_9;
    /// Each half of its a.
    const A: [f32; 5] = [
        0.530_702_7,
        -0.726_576,
        0.710_706_9,
        -0.142_248_37,
        0.127_414_8,
    ];
    for x in x {
        let size = x.abs();
        let t = 1.0 / fma::<FMA>(P, size, 1.0);
        let mut p = A[0];
        for a in &A[1..] {
            p = fma::<FMA>(p, t, *a);
        }
        let tail = *x * p * t * exp::<FMA>(-0.5 * size * size);
        // The other side's tail is taken from the whole.
        *x = if *x > 0.0 { *x - tail } else { tail };
    }
}
