//! Checks that every fit makes before it begins.

use candlecast_learn::{FitError, Samples};

/// Refuses too few samples.
pub(crate) fn enough(have: usize, need: usize) -> Result<(), FitError> {
    if have < need { Err(FitError::TooFewSamples { have, need }) } else { Ok(()) }
}

/// Refuses NaN and infinity among the inputs at the origins.
pub(crate) fn finite_inputs(samples: &Samples<'_>) -> Result<(), FitError> {
    for i in 0..samples.len() {
        if let Some((name, &value)) = samples.feature_names().iter().zip(samples.last(i)).find(|(_, v)| !v.is_finite())
        {
            return Err(FitError::NotFinite {
                what: format!("feature {name} of training sample {i}"),
                value: f64::from(value),
                step: 0,
                remedy: "drop the feature or start later, after its warm-up".into(),
            });
        }
    }
    Ok(())
}

/// Refuses NaN and infinity among the targets.
pub(crate) fn finite_targets(targets: &[f64]) -> Result<(), FitError> {
    match targets.iter().find(|y| !y.is_finite()) {
        None => Ok(()),
        Some(&value) => Err(FitError::NotFinite {
            what: "a training target".into(),
            value,
            step: 0,
            remedy: "check the candles for prices that are not positive".into(),
        }),
    }
}

/// Root mean square of a step's training returns. Refuses a price that never moves.
pub(crate) fn root_mean_square(returns: &[f64]) -> Result<f64, FitError> {
    let mean_square = returns.iter().map(|r| r * r).sum::<f64>() / returns.len() as f64;
    if mean_square > 0.0 {
        return Ok(mean_square.sqrt());
    }
    Err(FitError::Degenerate(
        "the price never moves in the training part, so there is nothing to learn: choose another range or symbol"
            .into(),
    ))
}

/// Relative log variances of `samples`, `[sample]`: the targets of the volatility task.
pub(crate) fn relative_variances(samples: &Samples<'_>) -> Result<Vec<f64>, FitError> {
    let targets: Vec<f64> = (0..samples.len()).map(|i| samples.relative_log_variance(i)).collect();
    finite_targets(&targets)?;
    Ok(targets)
}

/// Mean and standard deviation of the training part's relative log variances. Refuses a price that never moves, or that
/// moves alike for ever.
pub(crate) fn mean_and_deviation(variances: &[f64]) -> Result<(f64, f64), FitError> {
    let n = variances.len() as f64;
    let mean = variances.iter().sum::<f64>() / n;
    let variance = variances.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    if variance > 0.0 {
        return Ok((mean, variance.sqrt()));
    }
    Err(FitError::Degenerate(
        "the price never moves in the training part, or always by as much, so there is nothing to learn: choose \
         another range or symbol"
            .into(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_that_never_change_are_refused() {
        assert_eq!(mean_and_deviation(&[1.0, 3.0, 1.0, 3.0]), Ok((2.0, 1.0)));
        for still in [0.0, -0.5] {
            let error = mean_and_deviation(&[still; 64]).unwrap_err();
            assert!(matches!(&error, FitError::Degenerate(text) if text.contains("never moves")), "{error}");
        }
    }
}
