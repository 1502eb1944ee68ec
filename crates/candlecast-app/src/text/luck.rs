//! What luck explains of a report, in lines below its table.

use candlecast_learn::significance::p_text;
use candlecast_pipeline::doc::{ConfidenceSetDoc, OverfittingDoc, ReportDoc};

use crate::text::{count, share};

/// The lines of a report: which models cannot be told from the best one, which of those that were asked for differ, and
/// what choosing among all that was tried is worth.
pub(super) fn lines(r: &ReportDoc) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(r.confidence_set.as_ref().map(|set| confidence_set(set, r.models.len())));
    lines.extend(differences(r));
    lines.extend(r.overfitting.as_ref().map(|found| overfitting(found, &r.reference)));
    lines
}

fn confidence_set(set: &ConfidenceSetDoc, n_models: usize) -> String {
    let models = if set.models.len() == n_models { "all of them".into() } else { set.models.join(", ") };
    format!("{} confidence set, which models cannot be told from the best: {models}", share(set.level))
}

/// Differences beyond luck between models that were asked for; `None` with fewer than two of them.
fn differences(r: &ReportDoc) -> Option<String> {
    let asked: Vec<&str> = r.models.iter().filter(|m| !m.baseline).map(|m| m.model.as_str()).collect();
    if asked.len() < 2 || r.confidence_set.is_none() {
        return None;
    }
    let is_asked = |name: &String| asked.contains(&name.as_str());
    let found: Vec<String> = r
        .differences
        .iter()
        .filter(|d| d.beyond_luck && is_asked(&d.better) && is_asked(&d.worse))
        .map(|d| format!("{} is better than {} ({})", d.better, d.worse, p_text(d.p_value_holm)))
        .collect();
    let found = if found.is_empty() { "no two of the models differ".into() } else { found.join("; ") };
    Some(format!("beyond luck: {found}"))
}

fn overfitting(o: &OverfittingDoc, reference: &str) -> String {
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let left_out = match o.left_out {
        0 => String::new(),
        1 => "; 1 other is not on record for these days".to_owned(),
        n => format!("; {n} others are not on record for these days"),
    };
    format!(
        "overfitting: of {} tried here, the one with the least loss on one half of {} was no better than the middle one on the other half in {} of {} (PBO), and worse than {reference} in {}{left_out}",
        count(o.tries, "configuration"),
        count(o.days, "day"),
        percent(o.pbo),
        count(o.splits, "split"),
        percent(o.probability_of_loss),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_names_its_models_unless_it_holds_all() {
        let set = |models: &[&str]| ConfidenceSetDoc {
            level: 0.9,
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            p_values: vec![],
        };
        assert_eq!(
            confidence_set(&set(&["naive", "linear"]), 3),
            "90 % confidence set, which models cannot be told from the best: naive, linear"
        );
        assert!(confidence_set(&set(&["naive", "linear"]), 2).ends_with(": all of them"));
    }

    #[test]
    fn overfitting_is_told_with_what_it_is_of() {
        let found = OverfittingDoc {
            pbo: 0.428,
            probability_of_loss: 0.61,
            median_logit: 0.1,
            degradation: None,
            tries: 12,
            effective_tries: 7.5,
            left_out: 0,
            looks: 12,
            days: 90,
            blocks: 16,
            splits: 12_870,
        };
        assert_eq!(
            overfitting(&found, "naive"),
            "overfitting: of 12 configurations tried here, the one with the least loss on one half of 90 days was no better than the middle one on the other half in 43 % of 12870 splits (PBO), and worse than naive in 61 %"
        );
        let some_left = OverfittingDoc { left_out: 3, ..found };
        assert!(overfitting(&some_left, "naive").ends_with("in 61 %; 3 others are not on record for these days"));
        assert!(
            overfitting(&OverfittingDoc { left_out: 1, ..found }, "x")
                .ends_with("; 1 other is not on record for these days")
        );
    }
}
