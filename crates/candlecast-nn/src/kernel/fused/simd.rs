//! [`Simd`]: the few vector operations that the kernels are written in, and the activations.

/// A vector of floats. All functions are inlined into a function that enables the instructions.
///
/// # Safety
/// Every function may be called only where the processor has the instruction set; pointers must be good for
/// [`Simd::LANES`] floats.
pub(super) trait Simd: Copy {
    /// The vector.
    type V: Copy;
    /// Floats in it.
    const LANES: usize;
    /// Most rows of a tile whose sums, four vectors a row, fit in the registers; at most 6.
    const ROWS: usize;

    unsafe fn zero() -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, v: Self::V);
    unsafe fn splat(x: f32) -> Self::V;
    /// `a * b + c`, rounded once.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// The lesser; `b` where either is NaN.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// The greater; `b` where either is NaN.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// To the nearest whole number, ties to even.
    unsafe fn round(a: Self::V) -> Self::V;
    /// `2^n` for whole numbers `n` from -126 to 127.
    unsafe fn power_of_two(n: Self::V) -> Self::V;
}

/// `2^n` and `exp(r) - 1`, such that `exp(x) = 2^n (1 + (exp(r) - 1))`; as in the reference's `activation`.
#[inline(always)]
unsafe fn split_exp<S: Simd>(x: S::V) -> (S::V, S::V) {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        // The constant comes first, so that a NaN stays.
        let x = S::max(S::splat(-87.0), S::min(S::splat(87.0), x));
        let n = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
        let r = S::fma(n, S::splat(-0.693_359_4), x);
        let r = S::fma(n, S::splat(2.121_944_4e-4), r);
        let mut p = S::splat(1.987_569_1e-4);
        p = S::fma(p, r, S::splat(1.398_199_9e-3));
        p = S::fma(p, r, S::splat(8.333_452e-3));
        p = S::fma(p, r, S::splat(4.166_579_6e-2));
        p = S::fma(p, r, S::splat(1.666_666_5e-1));
        p = S::fma(p, r, S::splat(0.5));
        (S::power_of_two(n), S::fma(S::mul(r, r), p, r))
    }
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
pub(super) unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let one = S::splat(1.0);
        let (power, rest) = split_exp::<S>(S::sub(S::zero(), x));
        S::div(one, S::add(one, S::fma(power, rest, power)))
    }
}

/// Hyperbolic tangent, as `-e / (e + 2)` with `e = exp(-2 x) - 1`.
#[inline(always)]
pub(super) unsafe fn tanh<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let (power, rest) = split_exp::<S>(S::mul(S::splat(-2.0), x));
        let e = S::fma(power, rest, S::sub(power, S::splat(1.0)));
        S::div(S::sub(S::zero(), e), S::add(e, S::splat(2.0)))
    }
}
