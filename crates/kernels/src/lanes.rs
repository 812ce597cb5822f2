//! Sixteen values at a time, in plain Rust. The bodies are compiled once for each instruction set: with the features of
//! an [`crate::Isa`] enabled the compiler makes one or two vector instructions of each function here.

pub(crate) const LANES: usize = 16;

/// Sixteen values.
pub(crate) type Lanes = [f32; LANES];

/// `a·b + c`: in one rounding where the processor has an instruction for it. Without one, `mul_add` would be a call.
#[inline(always)]
pub(crate) fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Lane by lane.
#[inline(always)]
pub(crate) fn fma_lanes<const FMA: bool>(a: &Lanes, b: f32, c: &mut Lanes) {
    for lane in 0..LANES {
        c[lane] = fma::<FMA>(a[lane], b, c[lane]);
    }
}

/// The first sixteen values.
#[inline(always)]
pub(crate) fn load(slice: &[f32]) -> Lanes {
    let mut lanes = [0.0; LANES];
    lanes.copy_from_slice(&slice[..LANES]);
    lanes
}

/// Always in the same order.
#[inline(always)]
pub(crate) fn sum(lanes: &Lanes) -> f32 {
    let mut lanes = *lanes;
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// e^x within 2 units in the last place between −87 and 88; 0 below −87.3, and the greatest power above 88.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2; e^r by its Taylor polynomial of degree 7 (remainder 3·10⁻⁹), 2^n by the exponent's
/// bits. ln 2 in two parts, so that n·ln 2 is exact where it matters (Cody and Waite).
#[inline(always)]
pub(crate) fn exp<const FMA: bool>(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    /// Adding it leaves the nearest integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.3, 88.0);
    let shifted = fma::<FMA>(clamped, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = fma::<FMA>(n, -LN2_LOW, fma::<FMA>(n, -LN2_HIGH, clamped));
    let mut p = 1.0 / 5040.0;
    for c in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        p = fma::<FMA>(p, r, c);
    }
    // n lies in the low bits of `shifted`; what is above them leaves with the shift.
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    if x < -87.3 { 0.0 } else { p * scale }
}

/// Calls `$body::<FMA>(…)` compiled for `$isa`.
macro_rules! for_isa {
    ($isa:expr, $body:ident $(::<$($generic:ident),+>)? ($($argument:ident : $type:ty),* $(,)?)) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2($($argument: $type),*) { $body::<true $($(, $generic)+)?>($($argument),*) }
            #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
            fn avx512($($argument: $type),*) { $body::<true $($(, $generic)+)?>($($argument),*) }
            match $isa {
                // SAFETY: an `Isa` other than `Portable` is only made where the processor has it.
                $crate::Isa::Avx2 => unsafe { avx2($($argument),*) },
                // SAFETY: as above.
                $crate::Isa::Avx512Vnni => unsafe { avx512($($argument),*) },
                $crate::Isa::Portable => $body::<false $($(, $generic)+)?>($($argument),*),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = $isa;
            $body::<false $($(, $generic)+)?>($($argument),*)
        }
    }};
}
pub(crate) use for_isa;

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn the_exponential_is_within_a_few_units_of_the_last_place() {
        for step in -8730..8800 {
            let x = step as f32 / 100.0;
            let exact = f64::from(x).exp();
            for ours in [exp::<true>(x), exp::<false>(x)] {
                let error = (f64::from(ours) - exact).abs() / exact;
                assert!(error < 4e-7, "e^{x} = {exact}, got {ours}");
            }
        }
        for x in [-100.0, f32::NEG_INFINITY] {
            assert!(exp::<false>(x).to_bits() == 0, "{x}");
        }
    }
}
