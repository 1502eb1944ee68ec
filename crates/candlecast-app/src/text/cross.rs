//! Cross-validations for people: what they are not, and how models fare over the paths.

use candlecast_pipeline::doc::{CrossDoc, CrossModelDoc, EvaluationDoc, SpreadDoc};

use crate::text::{count, percent, price, table};

/// What stands before the table of a cross-validation: that it is for research, and, where there are several paths, a
/// table of them; empty for other methods.
pub(crate) fn cross(e: &EvaluationDoc) -> String {
    let Some(cross) = &e.cross_validation else { return String::new() };
    let mut text = format!("{}\n", what(cross));
    if cross.paths > 1 {
        text.push_str(&format!("{}\n\nPath 1 of {}:\n", over_paths(cross, e.report.task), cross.paths));
    }
    text
}

/// How the period was cut, and what that means.
fn what(cross: &CrossDoc) -> String {
    let cut = if cross.test_groups == 1 {
        format!("purged k-fold over {}", count(cross.groups.len(), "fold"))
    } else {
        format!(
            "combinatorial purged cross-validation, {} of {} groups tested at once: {}, {}",
            cross.test_groups,
            cross.groups.len(),
            count(cross.splits, "split"),
            count(cross.paths, "path")
        )
    };
    format!(
        "RESEARCH ONLY: {cut}; purge {} on both sides, embargo {}. The fits have learnt from later candles, too: nothing is called better or worse.",
        cross.purge, cross.embargo
    )
}

/// Losses and skills of every model over the paths.
fn over_paths(cross: &CrossDoc, task: &str) -> String {
    let loss = match task {
        "direction" => "log loss",
        "volatility" => "QLIKE",
        _ => "MAE",
    };
    let header = ["model", loss, "sd", "least", "greatest", "skill", "least", "greatest", "paths > 0", "cover"];
    let mut t = table(&header, 1..header.len());
    for m in &cross.models {
        t.add_row(row(m, cross.paths));
    }
    t.to_string()
}

fn row(m: &CrossModelDoc, paths: usize) -> Vec<String> {
    let SpreadDoc { mean, deviation, least, greatest } = m.loss;
    let name = if m.baseline { format!("{} *", m.model) } else { m.model.clone() };
    let losses = [mean, deviation, least, greatest].map(price);
    let skills = [m.skill.mean, m.skill.least, m.skill.greatest].map(|skill| percent(skill, 2));
    let with_skill = format!("{} of {paths}", m.paths_with_skill);
    [vec![name], losses.to_vec(), skills.to_vec(), vec![with_skill, percent(m.coverage.mean, 1)]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(mean: f64) -> SpreadDoc {
        SpreadDoc { mean: Some(mean), deviation: Some(0.5), least: Some(mean - 1.0), greatest: Some(mean + 1.0) }
    }

    fn doc(test_groups: usize, paths: usize) -> CrossDoc {
        let none = SpreadDoc { mean: None, deviation: None, least: None, greatest: None };
        let linear = CrossModelDoc {
            model: "linear".into(),
            baseline: false,
            loss: spread(2.0),
            skill: spread(0.01),
            accuracy: none,
            coverage: none,
            paths_with_skill: 3,
        };
        let naive = CrossModelDoc { model: "naive".into(), baseline: true, ..linear.clone() };
        CrossDoc {
            research_only: true,
            groups: vec![candlecast_core::TimeRange::ALL; 6],
            test_groups,
            splits: 15,
            paths,
            fits: 35,
            purge: 24,
            embargo: 88,
            models: vec![naive, linear],
            by_path: vec![],
        }
    }

    #[test]
    fn what_it_is_and_is_not_is_told_first() {
        let told = what(&doc(2, 5));
        assert!(told.starts_with("RESEARCH ONLY: combinatorial purged"), "{told}");
        for words in ["2 of 6 groups", "15 splits, 5 paths", "purge 24", "embargo 88", "called better or worse"] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(what(&doc(1, 1)).contains("purged k-fold over 6 folds"));
    }

    #[test]
    fn every_model_has_a_row_over_the_paths() {
        let told = over_paths(&doc(2, 5), "price");
        for words in ["| naive *", "| linear", "MAE", "3 of 5", "1.00 %", "2.0000"] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(over_paths(&doc(2, 5), "direction").contains("log loss"));
    }
}
