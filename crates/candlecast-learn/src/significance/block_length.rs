//! How long the blocks of a bootstrap should be, told from the series itself.

/// Mean lengths of blocks, in values, with the least mean squared error of the variance of a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockLengths {
    /// Of the stationary bootstrap. Below 1 where values hardly depend on each other.
    pub stationary: f64,
    /// Of circular blocks, which have all the same length.
    pub circular: f64,
}

/// The block lengths of Politis and White (2004) with the correction of Patton, Politis and White (2009).
///
/// With `R_k` the autocovariance at lag `k` (divisor `n`) and `w(x)` the flat-top window, 1 up to 1/2 and then falling to
/// 0 at 1, `G = sum w(k / M) |k| R_k` and `S = sum w(k / M) R_k` over `-M <= k <= M`, the length is
/// `(2 G^2 / D)^(1/3) n^(1/3)` with `D = 2 S^2` for the stationary bootstrap and `4/3 S^2` for circular blocks. `M` is
/// twice the smallest lag `m`, at least 1, behind which `max(5, log10 n)` autocorrelations in a row lie within
/// `2 sqrt(log10(n) / n)`. Neither is longer than `min(3 sqrt n, n / 3)`, rounded up.
///
/// An autocorrelation is the sum of products over the root of the sums of squares of the values from lag `k + 1` on and
/// of all but the last `k + 1`, as the `arch` package for Python computes it, with which results agree to 1e-9
/// (`tests/golden/luck.py`). `None` for fewer than 12 values, values that are not finite, and series without variance.
pub fn block_lengths(x: &[f64]) -> Option<BlockLengths> {
    let n = x.len();
    let size = n as f64;
    let in_a_row = size.log10().max(5.0) as usize;
    let longest_lag = size.sqrt().ceil() as usize + in_a_row;
    if n < longest_lag + 2 || x.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mean = x.iter().sum::<f64>() / size;
    let centred: Vec<f64> = x.iter().map(|value| value - mean).collect();
    let covariances: Vec<f64> = (0..=longest_lag).map(|lag| products(&centred, lag) / size).collect();
    if covariances[0] <= mean * mean * 1e-24 || covariances[0] <= 0.0 {
        return None;
    }
    let quiet = quiet_from(&correlations(&centred, &covariances), in_a_row, 2.0 * (size.log10() / size).sqrt());
    let bandwidth = quiet.map_or(longest_lag, |lag| 2 * lag.max(1)).min(longest_lag);
    let (mut slope, mut spectrum) = (0.0, covariances[0]);
    for (lag, covariance) in covariances.iter().enumerate().take(bandwidth + 1).skip(1) {
        let weight = if 2 * lag <= bandwidth { 1.0 } else { 2.0 * (1.0 - lag as f64 / bandwidth as f64) };
        slope += 2.0 * weight * lag as f64 * covariance;
        spectrum += 2.0 * weight * covariance;
    }
    let longest = (3.0 * size.sqrt()).min(size / 3.0).ceil();
    let length = |factor: f64| {
        let length = (2.0 * slope * slope / (factor * spectrum * spectrum)).cbrt() * size.cbrt();
        // Not a number where both sums are 0: then nothing speaks for short blocks.
        length.min(longest)
    };
    Some(BlockLengths { stationary: length(2.0), circular: length(4.0 / 3.0) })
}

/// Sum of the products of values `lag` apart.
fn products(x: &[f64], lag: usize) -> f64 {
    x[lag..].iter().zip(x).map(|(later, earlier)| later * earlier).sum()
}

/// Sizes of the autocorrelations.
fn correlations(centred: &[f64], covariances: &[f64]) -> Vec<f64> {
    let n = centred.len();
    let mut squares = Vec::with_capacity(n + 1);
    let mut sum = 0.0;
    squares.push(0.0);
    squares.extend(centred.iter().map(|x| {
        sum += x * x;
        sum
    }));
    let of_lag = |(lag, covariance): (usize, &f64)| {
        let (later, earlier) = (squares[n] - squares[lag + 1], squares[n - lag - 1]);
        (covariance * n as f64).abs() / (later * earlier).sqrt()
    };
    covariances.iter().enumerate().map(of_lag).collect()
}

/// The first lag from which on `in_a_row` autocorrelations lie below `band`; `None` where there is no such lag.
fn quiet_from(correlations: &[f64], in_a_row: usize, band: f64) -> Option<usize> {
    // The last lag is looked at by nobody: a row ends before the lag that is reached.
    let rows = correlations[..correlations.len() - 1].windows(in_a_row);
    rows.enumerate().find(|(_, row)| row.iter().all(|size| *size < band)).map(|(lag, _)| lag)
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;

    /// An autoregression.
    fn slow(n: usize, memory: f64, seed: u64) -> Vec<f64> {
        let mut rng = Seed(seed).derive("block-length", 0).stream();
        let mut value = 0.0;
        let mut next = || {
            value = memory * value + rng.normal();
            value
        };
        (0..n + 200).map(|_| next()).skip(200).collect()
    }

    #[test]
    fn the_longer_values_stay_alike_the_longer_are_the_blocks() {
        let length = |memory: f64| {
            let lengths = (0..20).map(|seed| block_lengths(&slow(2_000, memory, seed)).unwrap().stationary);
            lengths.sum::<f64>() / 20.0
        };
        let lengths = [0.0, 0.5, 0.9, 0.98].map(length);
        // Of the same design in arch: 1.3, 14.6, 49, 80.
        assert!(lengths[0] < 3.0 && (11.0..19.0).contains(&lengths[1]), "{lengths:?}");
        assert!((40.0..60.0).contains(&lengths[2]) && (70.0..90.0).contains(&lengths[3]), "{lengths:?}");
    }

    #[test]
    fn blocks_of_equal_length_are_longer_by_a_constant_and_neither_beyond_the_bound() {
        let free = block_lengths(&slow(2_000, 0.5, 1)).unwrap();
        assert!((free.circular / free.stationary - 1.5_f64.cbrt()).abs() < 1e-12, "{free:?}");
        let wave: Vec<f64> = (0..100).map(|i| (f64::from(i) / 3.0).sin()).collect();
        assert_eq!(block_lengths(&wave), Some(BlockLengths { stationary: 30.0, circular: 30.0 }));
    }

    #[test]
    fn what_says_nothing_has_no_length() {
        assert_eq!(block_lengths(&[0.1; 100]), None);
        assert_eq!(block_lengths(&[1.0; 11]), None);
        let mut values = slow(12, 0.0, 3);
        assert!(block_lengths(&values).is_some());
        values[5] = f64::NAN;
        assert_eq!(block_lengths(&values), None);
        assert_eq!(block_lengths(&[]), None);
    }
}
