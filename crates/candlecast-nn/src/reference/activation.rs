//! Sigmoid and hyperbolic tangent from sums, products and one division: the same bits on every platform, and
//! free of branches, so that the compiler makes vector code of loops over them.
//!
//! `exp(x) = 2^n exp(r)` with `n = round(x / ln 2)`, `|r| <= ln 2 / 2` and the polynomial of Cephes' `expf`.
//! Error below 2e-7 relative, NaN passes through.

/// Beyond this the results are 0 or 1 to single precision, and `2^n` would leave its range.
const LIMIT: f32 = 87.0;
/// Adding and subtracting 1.5 * 2^23 rounds to the nearest whole number.
const ROUNDER: f32 = 12_582_912.0;
/// ln 2 in two parts, the first exact in few bits.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// Coefficients of `(exp(r) - 1 - r) / r^2`, highest first.
const COEFFICIENTS: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// `2^n` and `exp(r) - 1`, such that `exp(x) = 2^n (1 + (exp(r) - 1))`.
#[inline]
fn split_exp(x: f32) -> (f32, f32) {
    let x = x.clamp(-LIMIT, LIMIT);
    let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
    let n = shifted - ROUNDER;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let mut p = COEFFICIENTS[0];
    for c in &COEFFICIENTS[1..] {
        p = p * r + c;
    }
    // The low bits of `shifted` are those of n: moved up, with the exponent's bias, they are 2^n.
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    (power, p * (r * r) + r)
}

/// `1 / (1 + exp(-x))`.
#[inline]
pub(crate) fn sigmoid(x: f32) -> f32 {
    let (power, rest) = split_exp(-x);
    1.0 / (1.0 + (power * rest + power))
}

/// Hyperbolic tangent, as `-e / (e + 2)` with `e = exp(-2 x) - 1`, which is exact to rounding near 0 too.
#[inline]
pub(crate) fn tanh(x: f32) -> f32 {
    let (power, rest) = split_exp(-2.0 * x);
    let e = power * rest + (power - 1.0);
    -e / (e + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_agree_with_double_precision() {
        for k in -200_000..=200_000_i32 {
            let x = k as f32 * 5e-4;
            let (s, t) = (1.0 / (1.0 + (-f64::from(x)).exp()), f64::from(x).tanh());
            assert!((f64::from(sigmoid(x)) - s).abs() <= 4e-7 * s + 2e-38, "sigmoid({x})");
            assert!((f64::from(tanh(x)) - t).abs() <= 4e-7 * t.abs(), "tanh({x})");
        }
        for x in [1e-30_f32, 1e-10, 1e-5] {
            assert!((tanh(x) / x - 1.0).abs() < 1e-6 && (tanh(-x) / x + 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn extremes_saturate_and_nan_stays() {
        assert_eq!((tanh(1e9), tanh(-1e9), tanh(f32::INFINITY)), (1.0, -1.0, 1.0));
        assert_eq!(sigmoid(f32::INFINITY), 1.0);
        assert!(sigmoid(f32::NEG_INFINITY) < 1e-37);
        assert!(tanh(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
    }
}
