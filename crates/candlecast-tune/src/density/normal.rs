//! The standard normal distribution cut off at both ends, computed so that no tail is lost.

use std::f64::consts::SQRT_2;

use statrs::function::erf::{erf, erfc, erfc_inv};

/// `ln sqrt(2 pi)`.
const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;
/// Below here the share is told by its asymptotic series, of which a few terms are exact there.
const FAR: f64 = -20.0;
/// Terms of the series at most.
const TERMS: u32 = 40;

/// Logarithm of the density at `x`.
pub(crate) fn ln_density(x: f64) -> f64 {
    -0.5 * x * x - LN_SQRT_2PI
}

/// Logarithm of the share between `a` and `b`, `a < b`.
pub(crate) fn ln_mass(a: f64, b: f64) -> f64 {
    if b <= 0.0 {
        let (less, more) = (ln_below(a), ln_below(b));
        more + (-(less - more).exp()).ln_1p()
    } else if a > 0.0 {
        ln_mass(-b, -a)
    } else {
        (0.5 * (erf(b / SQRT_2) - erf(a / SQRT_2))).ln()
    }
}

/// Share above `x`.
pub(crate) fn above(x: f64) -> f64 {
    0.5 * erfc(x / SQRT_2)
}

/// The value below which a share `q` of what lies between `a` and `b` is, `a < 0 < b`.
pub(crate) fn quantile_within(q: f64, a: f64, b: f64) -> f64 {
    let inside = 0.5 * (erf(b / SQRT_2) - erf(a / SQRT_2));
    let below = above(-a) + q * inside;
    let x = if below <= 0.5 {
        -SQRT_2 * erfc_inv(2.0 * below)
    } else {
        SQRT_2 * erfc_inv(2.0 * (above(b) + (1.0 - q) * inside))
    };
    x.clamp(a, b)
}

/// Logarithm of the share below `x <= 0`.
fn ln_below(x: f64) -> f64 {
    if x > FAR {
        return above(-x).ln();
    }
    // Abramowitz and Stegun 26.2.12: 1 - 1 / x^2 + 3 / x^4 - 15 / x^6 ..
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..TERMS {
        term *= -f64::from(2 * k - 1) / (x * x);
        if sum + term == sum {
            break;
        }
        sum += term;
    }
    ln_density(x) - (-x).ln() + f64::ln(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of mpmath, 30 digits. The error function of `statrs` keeps ten of them.
    #[test]
    fn masses_are_exact_in_both_tails_and_in_the_middle() {
        for (a, b, expected) in MASSES {
            let got = ln_mass(a, b);
            assert!((got / expected - 1.0).abs() < 1e-9, "{a} {b}: {got} against {expected}");
            assert_eq!(ln_mass(-b, -a), got, "{a} {b}");
        }
    }

    const MASSES: [(f64, f64, f64); 7] = [
        (-1.0, 2.0, -0.200_166_294_324_462_6),
        (-0.001, 0.001, -7.133_546_798_293_52),
        (-100.0, -99.5, -4_955.644_197_159_426),
        (-21.0, -20.5, -214.066_759_427_058_57),
        (-5.0, -4.0, -10.369_193_541_521_652),
        (0.1, 30.0, -0.776_154_592_730_273_3),
        (-60.0, 0.5, -0.368_946_415_288_656_4),
    ];

    #[test]
    fn quantiles_lie_within_and_give_their_share_back() {
        for (a, b) in [(-2.0, 1.0), (-100.0, 0.01), (-0.01, 100.0), (-0.001, 0.002)] {
            for i in 0..=20 {
                let q = f64::from(i) / 20.0;
                let x = quantile_within(q, a, b);
                assert!((a..=b).contains(&x));
                if i > 0 && i < 20 {
                    let share = (ln_mass(a, x) - ln_mass(a, b)).exp();
                    assert!((share - q).abs() < 1e-9, "{a} {b} {q}: {share}");
                }
            }
        }
    }
}
