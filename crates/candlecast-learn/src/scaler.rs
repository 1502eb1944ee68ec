//! Scalers: fitted on the training part only, saved with the model, applied alike in training and serving.

use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Panel, SampleId};

/// How features are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScalerKind {
    /// Zero mean, unit variance.
    Standard,
    /// Least to 0, greatest to 1.
    MinMax,
    /// Median to 0, interquartile range to 1.
    Robust,
    /// As they are.
    None,
}

impl std::str::FromStr for ScalerKind {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s.to_ascii_lowercase().as_str() {
            "standard" => Ok(Self::Standard),
            "min-max" | "minmax" => Ok(Self::MinMax),
            "robust" => Ok(Self::Robust),
            "none" => Ok(Self::None),
            _ => Err(format!("scaler `{s}` is not known: use standard, min-max, robust or none")),
        }
    }
}

/// A scaler's parameters: `(x - center) / scale`, clipped, for each feature that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FittedScaler {
    /// How it was fitted.
    pub kind: ScalerKind,
    /// Indices of the input features that are kept.
    pub keep: Vec<usize>,
    /// Subtracted, one a kept feature.
    pub center: Vec<f64>,
    /// Divided by, one a kept feature; above 0.
    pub scale: Vec<f64>,
    /// Bound on |scaled value|.
    pub clip: Option<f64>,
    /// Ids of features dropped as constant over the training part.
    pub dropped: Vec<String>,
}

impl ScalerKind {
    /// Fits on the rows that windows of `lookback` rows before and at `ids` cover; constant features are
    /// dropped and named.
    pub fn fit(self, data: &Dataset, ids: &[SampleId], lookback: usize, clip: Option<f64>) -> FittedScaler {
        let rows = covered_rows(ids, lookback);
        let names = data.panels().first().map_or(&[][..], Panel::names);
        let mut fitted =
            FittedScaler { kind: self, keep: vec![], center: vec![], scale: vec![], clip, dropped: vec![] };
        let mut column = Vec::with_capacity(rows.len());
        for (j, name) in names.iter().enumerate() {
            column.clear();
            column.extend(rows.iter().map(|id| f64::from(data.panels()[id.panel as usize].row(id.row as usize)[j])));
            match self.center_and_scale(&mut column) {
                Some((center, scale)) => {
                    fitted.keep.push(j);
                    fitted.center.push(center);
                    fitted.scale.push(scale);
                }
                None => fitted.dropped.push(name.clone()),
            }
        }
        fitted
    }

    /// `None` for a constant column.
    fn center_and_scale(self, column: &mut [f64]) -> Option<(f64, f64)> {
        let n = column.len() as f64;
        let (min, max) = column.iter().fold((f64::MAX, f64::MIN), |(a, b), &x| (a.min(x), b.max(x)));
        if column.is_empty() || max <= min {
            return None;
        }
        let standard = |column: &[f64]| {
            let mean = column.iter().sum::<f64>() / n;
            (mean, (column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
        };
        let (center, scale) = match self {
            Self::None => (0.0, 1.0),
            Self::MinMax => (min, max - min),
            Self::Standard => standard(column),
            Self::Robust => {
                column.sort_by(f64::total_cmp);
                let at = |share: f64| quantile_sorted(column, share);
                let spread = at(0.75) - at(0.25);
                // More than half of the values are equal: the interquartile range says nothing, the deviation does.
                if spread > 0.0 { (at(0.5), spread) } else { (at(0.5), standard(column).1) }
            }
        };
        // A spread at the rounding error of the level would blow noise up to size one.
        (scale > 1e-9 * center.abs().max(f64::MIN_POSITIVE)).then_some((center, scale))
    }
}

/// Linear interpolation between order statistics (NumPy's default, type 7).
pub(crate) fn quantile_sorted(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * (at - at.floor())
}

fn covered_rows(ids: &[SampleId], lookback: usize) -> Vec<SampleId> {
    let mut rows = Vec::with_capacity(ids.len() + lookback);
    // First row of each panel that is not covered yet; samples of several panels may alternate.
    let mut next: Vec<u32> = Vec::new();
    for id in ids {
        let panel = id.panel as usize;
        if next.len() <= panel {
            next.resize(panel + 1, 0);
        }
        let first = (id.row + 1 - lookback as u32).max(next[panel]);
        rows.extend((first..=id.row).map(|row| SampleId { panel: id.panel, row }));
        next[panel] = id.row + 1;
    }
    rows
}

impl FittedScaler {
    /// Leaves all of `width` features as they are.
    pub(crate) fn identity(width: usize) -> Self {
        Self {
            kind: ScalerKind::None,
            keep: (0..width).collect(),
            center: vec![0.0; width],
            scale: vec![1.0; width],
            clip: None,
            dropped: vec![],
        }
    }

    /// Why no fit on `n_features` features can have given it, if so.
    pub(crate) fn check(&self, n_features: usize) -> Result<(), &'static str> {
        let above_0 = |x: f64| x.is_finite() && x > 0.0;
        if self.center.len() != self.keep.len() || self.scale.len() != self.keep.len() {
            return Err("its lists disagree");
        }
        if !self.center.iter().all(|x| x.is_finite()) || !self.scale.iter().all(|&x| above_0(x)) {
            return Err("a center is not finite or a scale is not above 0");
        }
        if self.keep.iter().any(|&k| k >= n_features) {
            return Err("it keeps a feature that the configuration does not have");
        }
        if !self.keep.is_sorted_by(|a, b| a < b) {
            return Err("it keeps a feature twice, or out of order");
        }
        if self.clip.is_some_and(|bound| !above_0(bound)) {
            return Err("its bound is not above 0");
        }
        Ok(())
    }

    /// One scaled value of kept feature `k`.
    pub fn apply(&self, k: usize, value: f32) -> f32 {
        let z = ((f64::from(value) - self.center[k]) / self.scale[k]) as f32;
        self.clip.map_or(z, |c| z.clamp(-c as f32, c as f32))
    }

    /// The same scaler over the columns of `panel`, which has at least the features `ids` that it was fitted on.
    pub(crate) fn over(&self, panel: &Panel, ids: &[String]) -> Self {
        if panel.names() == ids {
            return self.clone();
        }
        let column = |&j: &usize| {
            let id = &ids[j];
            panel.names().iter().position(|name| name == id).expect("the panel has the features of the recipe")
        };
        Self { keep: self.keep.iter().map(column).collect(), ..self.clone() }
    }

    /// `panel`'s rows `rows` with only the kept features, scaled.
    pub fn apply_panel(&self, panel: &Panel, rows: std::ops::Range<usize>) -> Panel {
        panel.mapped(rows, &self.keep, |k, v| self.apply(k, v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalers_agree_with_scikit_learn() {
        // StandardScaler, MinMaxScaler and RobustScaler of scikit-learn 1.7 on [1, 2, 3, 4, 10].
        let column = || vec![1.0, 2.0, 3.0, 4.0, 10.0];
        assert_eq!(ScalerKind::Standard.center_and_scale(&mut column()), Some((4.0, 10.0_f64.sqrt())));
        assert_eq!(ScalerKind::MinMax.center_and_scale(&mut column()), Some((1.0, 9.0)));
        assert_eq!(ScalerKind::Robust.center_and_scale(&mut column()), Some((3.0, 2.0)));
        assert_eq!(ScalerKind::None.center_and_scale(&mut column()), Some((0.0, 1.0)));
        for kind in [ScalerKind::Standard, ScalerKind::MinMax, ScalerKind::Robust, ScalerKind::None] {
            assert_eq!(kind.center_and_scale(&mut [5.0, 5.0]), None);
        }
    }

    #[test]
    fn what_no_fit_can_have_given_is_no_scaler() {
        let sound = FittedScaler {
            kind: ScalerKind::Standard,
            keep: vec![0, 2],
            center: vec![0.0, -1.0],
            scale: vec![1.0, 0.5],
            clip: Some(10.0),
            dropped: vec!["constant".into()],
        };
        assert_eq!(sound.check(3), Ok(()));
        assert_eq!(FittedScaler { clip: None, ..sound.clone() }.check(3), Ok(()));
        let damaged = [
            FittedScaler { center: vec![0.0], ..sound.clone() },
            FittedScaler { scale: vec![1.0, 0.5, 1.0], ..sound.clone() },
            FittedScaler { center: vec![0.0, f64::NAN], ..sound.clone() },
            FittedScaler { scale: vec![1.0, f64::NAN], ..sound.clone() },
            FittedScaler { scale: vec![0.0, 1.0], ..sound.clone() },
            FittedScaler { keep: vec![0, 3], ..sound.clone() },
            FittedScaler { keep: vec![2, 0], ..sound.clone() },
            FittedScaler { keep: vec![2, 2], ..sound.clone() },
            FittedScaler { clip: Some(-1.0), ..sound.clone() },
            FittedScaler { clip: Some(f64::NAN), ..sound.clone() },
        ];
        for scaler in damaged {
            assert!(scaler.check(3).is_err(), "{scaler:?}");
        }
    }

    #[test]
    fn overlapping_windows_cover_each_row_once() {
        let ids: Vec<SampleId> = [5, 6, 9, 30].iter().map(|&row| SampleId { panel: 0, row }).collect();
        let rows: Vec<u32> = covered_rows(&ids, 3).iter().map(|id| id.row).collect();
        assert_eq!(rows, [3, 4, 5, 6, 7, 8, 9, 28, 29, 30]);
    }
}
