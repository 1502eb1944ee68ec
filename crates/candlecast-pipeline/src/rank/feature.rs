//! [`RankedFeature`]: one feature with all that is known of it, and the order of them.

use candlecast_features::{AgainstChance, Ranks, correlation_filter};

use crate::rank::importance::{Importance, Permutation};
use crate::rank::statistics::Column;

/// One feature.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedFeature {
    /// Id.
    pub feature: String,
    /// Permutation importance: rise of the squared error relative to the naive forecast's when the feature is shuffled;
    /// `None` where the model does not see it, as it is constant over the training part.
    pub permutation: Option<Permutation>,
    /// The model's own measure (gain for trees, |weight| for linear models), as a share; `None` where it has none.
    pub own: Option<f64>,
    /// Mutual information in nats with the return over the horizon, its sign and size together.
    pub information: AgainstChance,
    /// Mutual information in nats with the return's sign alone, at most ln 2 where no return is zero.
    pub sign_information: AgainstChance,
    /// Spearman's correlation with the return, -1 to 1; `None` for a constant.
    pub spearman: Option<f64>,
    /// Its absolute value beside chance.
    pub abs_spearman: Option<AgainstChance>,
    /// The more informative feature that it repeats, and their rank correlation: a candidate for leaving out.
    pub redundant_with: Option<(String, f64)>,
}

/// Both sides of every feature, the most important first.
pub(super) fn join(
    names: &[String],
    mut columns: Vec<Column>,
    importances: Vec<Importance>,
    max_correlation: f64,
) -> Vec<RankedFeature> {
    let scores: Vec<f64> = columns.iter().map(|c| c.information.value).collect();
    let ranks: Vec<Option<Ranks>> = columns.iter_mut().map(|c| c.ranks.take()).collect();
    let redundant = correlation_filter(&ranks, &scores, max_correlation);
    let mut features: Vec<RankedFeature> = columns
        .into_iter()
        .zip(importances)
        .enumerate()
        .map(|(j, (column, importance))| RankedFeature {
            feature: names[j].clone(),
            permutation: importance.permutation,
            own: importance.own,
            information: column.information,
            sign_information: column.sign_information,
            spearman: column.spearman,
            abs_spearman: column.abs_spearman,
            redundant_with: redundant.iter().find(|r| r.dropped == j).map(|r| (names[r.kept].clone(), r.correlation)),
        })
        .collect();
    let importance = |f: &RankedFeature| f.permutation.map_or(f64::NEG_INFINITY, |p| p.mean);
    features.sort_by(|a, b| {
        importance(b).total_cmp(&importance(a)).then(b.information.value.total_cmp(&a.information.value))
    });
    features
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[f64], information: f64) -> Column {
        let against = |value| AgainstChance { value, chance: None, p_value: None };
        Column {
            information: against(information),
            sign_information: against(0.0),
            spearman: None,
            abs_spearman: None,
            ranks: Ranks::of(values),
        }
    }

    fn importance(mean: Option<f64>) -> Importance {
        Importance { permutation: mean.map(|mean| Permutation { mean, deviation: None }), own: None }
    }

    #[test]
    fn permutation_importance_orders_then_information() {
        let names = ["a", "b", "c", "d"].map(String::from);
        let columns = vec![
            column(&[1.0, 2.0, 3.0, 4.0], 0.1),
            column(&[4.0, 3.0, 2.0, 1.0], 0.2),
            column(&[1.0, 3.0, 2.0, 1.5], 0.3),
            column(&[5.0, 5.0, 5.0, 5.0], 0.0),
        ];
        let importances = [Some(0.5), Some(0.0), Some(0.0), None].map(importance).to_vec();
        let features = join(&names, columns, importances, 0.95);
        assert_eq!(features.iter().map(|f| f.feature.as_str()).collect::<Vec<_>>(), ["a", "c", "b", "d"]);
        let (kept, correlation) = features[0].redundant_with.clone().unwrap();
        assert!(kept == "b" && (correlation + 1.0).abs() < 1e-12, "b tells more than a, its mirror image");
        assert!(features[1..].iter().all(|f| f.redundant_with.is_none()));
    }
}
