//! The kernels compiled for AVX-512 (F, BW, DQ, VL).

#![allow(unsafe_op_in_unsafe_fn, reason = "a line each: what the trait's caller promises is what the instruction asks")]

use std::arch::x86_64::{
    __m512, _MM_FROUND_NO_EXC, _mm512_add_ps, _mm512_div_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps,
    _mm512_min_ps, _mm512_mul_ps, _mm512_roundscale_ps, _mm512_scalef_ps, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_storeu_ps, _mm512_sub_ps,
};

use super::packing::Packing;
use super::simd::Simd;
use super::tape::{FusedState, FusedTape};
use super::{infer as inference, pass};
use crate::dropout::Dropout;
use crate::network::Weights;

/// 16 floats; a tile of 6 rows takes 24 of 32 registers for its sums.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx512;

impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        _mm512_setzero_ps()
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        _mm512_loadu_ps(from)
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: __m512) {
        _mm512_storeu_ps(to, v);
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        _mm512_set1_ps(x)
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        _mm512_fmadd_ps(a, b, c)
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        _mm512_add_ps(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        _mm512_sub_ps(a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        _mm512_mul_ps(a, b)
    }
    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        _mm512_div_ps(a, b)
    }
    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        _mm512_min_ps(a, b)
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        _mm512_max_ps(a, b)
    }
    #[inline(always)]
    unsafe fn round(a: __m512) -> __m512 {
        _mm512_roundscale_ps::<_MM_FROUND_NO_EXC>(a)
    }
    #[inline(always)]
    unsafe fn power_of_two(n: __m512) -> __m512 {
        _mm512_scalef_ps(_mm512_set1_ps(1.0), n)
    }
}

/// [`pass::forward`].
///
/// # Safety
/// The processor must have the instruction set; `tape` and `w` must be of `net`, `rows` at most the tape's.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) unsafe fn forward(
    net: &Packing,
    w: Weights<'_>,
    tape: &mut FusedTape,
    rows: usize,
    dropout: Option<Dropout>,
) {
    // SAFETY: as this function's own.
    unsafe { pass::forward::<Avx512>(net, w, tape, rows, dropout) }
}

/// [`pass::backward`].
///
/// # Safety
/// As [`forward`], which must have been called last on `tape`; `grad` must have the length of the parameters.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) unsafe fn backward(
    net: &Packing,
    w: Weights<'_>,
    tape: &mut FusedTape,
    rows: usize,
    dropout: Option<Dropout>,
    grad: &mut [f32],
) {
    // SAFETY: as this function's own.
    unsafe { pass::backward::<Avx512>(net, w, tape, rows, dropout, grad) }
}

/// [`inference::infer`].
///
/// # Safety
/// As [`forward`], with a state for a tape.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) unsafe fn infer(net: &Packing, w: Weights<'_>, state: &mut FusedState, rows: usize) {
    // SAFETY: as this function's own.
    unsafe { inference::infer::<Avx512>(net, w, state, rows) }
}
