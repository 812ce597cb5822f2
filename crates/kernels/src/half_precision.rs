//! 16-bit floating point to 32 bits and back.

use crate::Isa;
use half::f16;

/// To the nearest 16-bit number; what is too large for one becomes the largest, so that no sum becomes infinite.
pub(crate) fn narrow(value: f32) -> u16 {
    f16::from_f32(value.clamp(-65_504.0, 65_504.0)).to_bits()
}

/// Exact. `to` has the length of `from`.
pub(crate) fn widen(isa: Isa, from: &[u16], to: &mut [f32]) {
    assert_eq!(from.len(), to.len(), "as many numbers out as in");
    match isa {
        // SAFETY: this instruction set is only chosen where the processor has it.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni => unsafe { widen_avx512(from, to) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { widen_avx2(from, to) },
        _ => widen_portable(from, to),
    }
}

fn widen_portable(from: &[u16], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = f16::from_bits(*from).to_f32();
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn widen_avx512(from: &[u16], to: &mut [f32]) {
    use std::arch::x86_64::{_mm256_loadu_si256, _mm512_cvtph_ps, _mm512_storeu_ps};
    let (whole, rest) = from.as_chunks::<16>();
    let (to, to_rest) = to.as_chunks_mut::<16>();
    for (to, from) in to.iter_mut().zip(whole) {
        // SAFETY: sixteen numbers each.
        unsafe {
            _mm512_storeu_ps(
                to.as_mut_ptr(),
                _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast())),
            );
        };
    }
    widen_portable(rest, to_rest);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,f16c")]
fn widen_avx2(from: &[u16], to: &mut [f32]) {
    use std::arch::x86_64::{_mm_loadu_si128, _mm256_cvtph_ps, _mm256_storeu_ps};
    let (whole, rest) = from.as_chunks::<8>();
    let (to, to_rest) = to.as_chunks_mut::<8>();
    for (to, from) in to.iter_mut().zip(whole) {
        // SAFETY: eight numbers each.
        unsafe {
            _mm256_storeu_ps(
                to.as_mut_ptr(),
                _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().cast())),
            );
        };
    }
    widen_portable(rest, to_rest);
}

#[cfg(test)]
mod tests {
    use super::{narrow, widen};
    use crate::Isa;

    #[test]
    fn every_number_of_sixteen_bits_is_the_same_in_thirty_two_and_back() {
        let all: Vec<u16> = (0..=u16::MAX)
            .filter(|bits| bits & 0x7c00 != 0x7c00)
            .collect();
        for isa in Isa::available() {
            let mut wide = vec![0.0; all.len()];
            widen(isa, &all, &mut wide);
            let back: Vec<u16> = wide.iter().map(|value| narrow(*value)).collect();
            assert_eq!(back, all, "{isa}");
        }
        assert_eq!(narrow(1e9), narrow(65_504.0));
    }
}
