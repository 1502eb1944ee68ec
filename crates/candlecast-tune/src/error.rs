//! [`TuneError`]: what a search refuses.

use candlecast_core::Problem;
use candlecast_core::catalog::RecipeError;

/// Why a search, or a step of it, is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TuneError {
    /// The space, or a configuration that is not in it.
    #[error(transparent)]
    Space(#[from] RecipeError),
    /// A grid is searched as a whole.
    #[error(
        "the grid has {points} points, and a search at most {max} trials: name fewer values, or search with `tpe` or \
         `random`"
    )]
    GridTooLarge {
        /// Points of the space.
        points: u128,
        /// Trials that a search may have.
        max: u32,
    },
    /// A range without a step has no end of points.
    #[error(
        "parameterSpace: {param} is a range without a step, of which there is no grid: give it a step or a list, or \
         search with `tpe` or `random`"
    )]
    NoGrid {
        /// The parameter.
        param: String,
    },
    /// A number of the search is out of range.
    #[error("{field} {value} is not within {least} to {most}")]
    OutOfRange {
        /// Which.
        field: &'static str,
        /// What it is.
        value: u32,
        /// Least.
        least: u32,
        /// Greatest.
        most: u32,
    },
    /// A trial that is not there, has ended, or is told what it was not asked.
    #[error("trial {number} {why}")]
    Trial {
        /// Its number.
        number: u32,
        /// What is wrong.
        why: String,
    },
}

impl From<TuneError> for Problem {
    fn from(error: TuneError) -> Self {
        let detail = error.to_string();
        match error {
            TuneError::Space(error) => error.into(),
            TuneError::GridTooLarge { .. } => Self::usage("bad-value", "maxTrials", detail),
            TuneError::NoGrid { .. } => Self::usage("bad-value", "parameterSpace", detail),
            TuneError::OutOfRange { field, .. } => Self::usage("bad-value", field, detail),
            TuneError::Trial { .. } => Self::data("conflict", detail),
        }
    }
}
