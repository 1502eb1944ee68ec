//! The kernels compiled for AVX2 with FMA.

#![allow(unsafe_op_in_unsafe_fn, reason = "a line each: what the trait's caller promises is what the instruction asks")]

use std::arch::x86_64::{
    __m256, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm256_add_epi32, _mm256_add_ps, _mm256_castsi256_ps,
    _mm256_cvtps_epi32, _mm256_div_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps,
    _mm256_round_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_slli_epi32, _mm256_storeu_ps,
    _mm256_sub_ps,
};

use super::packing::Packing;
use super::simd::Simd;
use super::tape::{FusedState, FusedTape};
use super::{infer as inference, pass};
use crate::dropout::Dropout;
use crate::network::Weights;

/// 8 floats; a tile of 3 rows takes 12 of 16 registers for its sums.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2;

impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const ROWS: usize = 3;

    #[inline(always)]
    unsafe fn zero() -> __m256 {
        _mm256_setzero_ps()
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        _mm256_loadu_ps(from)
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: __m256) {
        _mm256_storeu_ps(to, v);
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> __m256 {
        _mm256_set1_ps(x)
    }
    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
        _mm256_fmadd_ps(a, b, c)
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        _mm256_add_ps(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        _mm256_sub_ps(a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        _mm256_mul_ps(a, b)
    }
    #[inline(always)]
    unsafe fn div(a: __m256, b: __m256) -> __m256 {
        _mm256_div_ps(a, b)
    }
    #[inline(always)]
    unsafe fn min(a: __m256, b: __m256) -> __m256 {
        _mm256_min_ps(a, b)
    }
    #[inline(always)]
    unsafe fn max(a: __m256, b: __m256) -> __m256 {
        _mm256_max_ps(a, b)
    }
    #[inline(always)]
    unsafe fn round(a: __m256) -> __m256 {
        _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a)
    }
    #[inline(always)]
    unsafe fn power_of_two(n: __m256) -> __m256 {
        // The exponent field of 2^n is n + 127.
        let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
        _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
    }
}

/// [`pass::forward`].
///
/// # Safety
/// The processor must have the instruction set; `tape` and `w` must be of `net`, `rows` at most the tape's.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn forward(
    net: &Packing,
    w: Weights<'_>,
    tape: &mut FusedTape,
    rows: usize,
    dropout: Option<Dropout>,
) {
    // SAFETY: as this function's own.
    unsafe { pass::forward::<Avx2>(net, w, tape, rows, dropout) }
}

/// [`pass::backward`].
///
/// # Safety
/// As [`forward`], which must have been called last on `tape`; `grad` must have the length of the parameters.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn backward(
    net: &Packing,
    w: Weights<'_>,
    tape: &mut FusedTape,
    rows: usize,
    dropout: Option<Dropout>,
    grad: &mut [f32],
) {
    // SAFETY: as this function's own.
    unsafe { pass::backward::<Avx2>(net, w, tape, rows, dropout, grad) }
}

/// [`inference::infer`].
///
/// # Safety
/// As [`forward`], with a state for a tape.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn infer(net: &Packing, w: Weights<'_>, state: &mut FusedState, rows: usize) {
    // SAFETY: as this function's own.
    unsafe { inference::infer::<Avx2>(net, w, state, rows) }
}
