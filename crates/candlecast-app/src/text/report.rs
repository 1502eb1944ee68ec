//! Scores for people: a table by task, and what belongs beside it.

use candlecast_core::TimeRange;
use candlecast_learn::significance::{VERDICT_LEVEL, VerdictCode, p_text};
use candlecast_pipeline::doc::{
    ClassMetricsDoc, EvaluationDoc, MetricsDoc, ModelReportDoc, PriceMetricsDoc, ReportDoc, SelectedDoc,
    VolatilityMetricsDoc,
};

use crate::doc::{TrainDoc, TrainedModelDoc};
use crate::text::cross::cross;
use crate::text::{
    count, fixed, hit_rate, interval, luck, percent, pool_line, price, signed, span, synthetic, table, tries_line,
    weights_lines,
};

/// The comparison table with what belongs beside it.
pub fn evaluation(e: &EvaluationDoc) -> String {
    let range = e.from.zip(e.to).map(|(from, to)| TimeRange { from, to });
    let task = if e.report.task == "price" { String::new() } else { format!("{}, ", e.report.task) };
    let mut text = format!(
        "{} {}, {task}{} ahead, {}, {}{}\n",
        e.symbol,
        e.interval,
        count(e.report.horizon_steps, "step"),
        count(e.report.origins, "origin"),
        span(range),
        synthetic(e.synthetic),
    );
    text.push_str(&cross(e));
    text.push_str(&report(&e.report));
    text.push_str(&format!("\nfingerprint {}", e.fingerprint));
    text
}

/// The scores and the saved model of every series of a training.
pub fn trained(t: &TrainDoc) -> String {
    let texts: Vec<String> = t.models().iter().map(trained_model).collect();
    texts.join("\n\n")
}

fn trained_model(t: &TrainedModelDoc) -> String {
    let mut text = format!(
        "{} on {}: forward chain over {}{}\n",
        t.model.id,
        t.model.series,
        count(t.report.origins, "origin"),
        synthetic(t.model.synthetic)
    );
    text.push_str(&report(&t.report));
    let folder = t.model.folder.as_ref().map_or_else(String::new, |folder| format!(" in the folder {folder}"));
    text.push_str(&format!(
        "\nsaved {}{folder} ({} to learn from, {} to stop on, {}, {})",
        t.model.path,
        count(t.train_samples, "sample"),
        t.valid_samples,
        count(t.steps, "step"),
        match (&t.candidate_because, &t.active_because) {
            (Some(why), _) => format!("candidate: {why}"),
            (None, Some(why)) => format!("active: {why}"),
            (None, None) => "active".to_owned(),
        }
    ));
    if let Some(line) = pool_line(&t.model.pool) {
        text.push_str(&format!("\n{line}"));
    }
    if let Some(line) = t.model.tries.and_then(tries_line) {
        text.push_str(&format!("\n{line}"));
    }
    if !t.dropped_features.is_empty() {
        text.push_str(&format!("\nwarning: constant features were dropped: {}", t.dropped_features.join(", ")));
    }
    text
}

/// The table of a report, with notes.
pub fn report(r: &ReportDoc) -> String {
    let against = format!("against {}", r.reference);
    let cover = format!("cover {:.0} %", 100.0 * r.interval_level);
    let columns = columns(r.task, &cover);
    let header: Vec<&str> =
        std::iter::once("model").chain(columns.iter().copied()).chain([against.as_str(), "fit s"]).collect();
    let numeric = (1..=columns.len()).chain([columns.len() + 2]);
    let mut t = table(&header, numeric);
    for m in &r.models {
        let name = if m.baseline { format!("{} *", m.model) } else { m.model.clone() };
        let figures = figures(m);
        let row = std::iter::once(name).chain(figures);
        t.add_row(row.chain([m.vs_naive.verdict.clone(), fixed(Some(m.fit_seconds), 1)]).collect::<Vec<_>>());
    }
    let mut text = t.to_string();
    for line in beside(r) {
        text.push('\n');
        text.push_str(&line);
    }
    text
}

/// What stands between the names of the models and their verdicts.
fn columns<'a>(task: &str, cover: &'a str) -> Vec<&'a str> {
    match task {
        "direction" => vec!["log loss", "skill", "Brier", "right", "balanced", "F1", "MCC"],
        "volatility" => vec!["QLIKE", "skill", "RMSE", "MAE", "R2 log", cover, "width"],
        _ => vec!["MAE", "skill", "RMSE", "MAPE", "R2 ret.", "direct.", "IC", cover, "steps", "width", "score"],
    }
}

fn figures(m: &ModelReportDoc) -> Vec<String> {
    match &m.metrics {
        MetricsDoc::Price(x) => prices(x, m),
        MetricsDoc::Direction(x) => classes(x),
        MetricsDoc::Volatility(x) => volatilities(x),
    }
}

fn prices(x: &PriceMetricsDoc, m: &ModelReportDoc) -> Vec<String> {
    vec![
        price(x.mae),
        percent(x.skill, 2),
        price(x.rmse),
        x.mape.map_or_else(|| "-".into(), |v| format!("{v:.3} %")),
        signed(x.r2, 4),
        percent(x.directional_accuracy, 1),
        signed(x.information_coefficient, 3),
        percent(x.coverage, 1),
        coverage_by_step(m),
        fixed(x.interval_width_ratio, 2),
        percent(x.interval_score, 2),
    ]
}

fn classes(x: &ClassMetricsDoc) -> Vec<String> {
    vec![
        fixed(x.log_loss, 4),
        percent(x.skill, 2),
        fixed(x.brier, 4),
        percent(x.accuracy, 1),
        percent(x.balanced_accuracy, 1),
        fixed(x.macro_f1, 3),
        signed(x.mcc, 3),
    ]
}

fn volatilities(x: &VolatilityMetricsDoc) -> Vec<String> {
    vec![
        fixed(x.qlike, 4),
        percent(x.skill, 2),
        percent(x.rmse, 3),
        percent(x.mae, 3),
        signed(x.r2, 4),
        percent(x.coverage, 1),
        percent(x.interval_width, 3),
    ]
}

fn coverage_by_step(m: &ModelReportDoc) -> String {
    let values = m.per_horizon.iter().filter_map(|s| s.coverage);
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
    if low > high { "-".into() } else { format!("{:.1}-{:.1} %", 100.0 * low, 100.0 * high) }
}

/// What the columns mean, and what must be known beside them.
fn beside(r: &ReportDoc) -> Vec<String> {
    let mut lines = vec![legend(r)];
    for m in &r.models {
        if !m.baseline {
            lines.extend(steps_line(m));
            lines.extend(signal_line(m));
            lines.extend(direction_line(m));
            lines.extend(class_line(m));
            lines.extend(recent_line(m));
            lines.extend(m.selected.as_ref().map(|selected| format!("{}: {}", m.model, selected_text(selected))));
            lines.extend(ensemble_lines(m));
        }
        if m.abstained > 0 {
            lines.push(format!(
                "{}: of {} it could not forecast {} for want of candles before them or of defined features, and said what is known without any model.",
                m.model,
                count(r.origins, "origin"),
                m.abstained,
            ));
        }
    }
    if r.left_out > 0 {
        lines.push(format!(
            "{} candles were no origins: missing or filled candles there or ahead, or too few candles before them.",
            r.left_out
        ));
    }
    if r.calibration_outcomes < 1_000 {
        let what = if r.task == "direction" { "Confidences" } else { "Intervals" };
        let early = if r.task == "direction" { "early ones are" } else { "early coverage is" };
        lines.push(format!("{what} began with {} known outcomes only: {early} rough.", r.calibration_outcomes));
    }
    lines.extend(luck::lines(r));
    lines.extend(r.notes.iter().cloned());
    lines
}

fn legend(r: &ReportDoc) -> String {
    match r.task {
        "direction" => format!(
            "* baselines. skill = 1 - log loss / log loss of {}; right: share of right classes among SELL, HOLD and BUY; balanced: mean share of the outcomes of a class that were forecast; F1: mean of the classes.",
            r.reference
        ),
        "volatility" => format!(
            "* baselines. skill = 1 - QLIKE / QLIKE of {}; RMSE, MAE and width are of the volatility over the horizon, not annualised; R2 log: of log variances.",
            r.reference
        ),
        _ => "* naive forecasts. skill = 1 - MAE / MAE of naive; IC: correlation of forecasts and returns; `steps` = least and greatest coverage of one step; width: mean width of the intervals over that of naive's; score: their interval score, less is better. The verdict is on errors in units of the volatility at the origin, with equal weight a step."
            .into(),
    }
}

/// The steps at which a model is better that is not so over all of them.
fn steps_line(m: &ModelReportDoc) -> Option<String> {
    let better: Vec<usize> =
        m.per_horizon.iter().filter(|step| step.verdict_code == VerdictCode::Better).map(|step| step.step).collect();
    let is_told = !better.is_empty() && m.vs_naive.verdict_code != VerdictCode::Better;
    is_told.then(|| format!("{}: better than {} at {}", m.model, m.vs_naive.against, steps(&better)))
}

/// Steps in order as people write them.
fn steps(numbers: &[usize]) -> String {
    let runs: Vec<String> = numbers
        .chunk_by(|a, b| a + 1 == *b)
        .map(|run| match run {
            [only] => only.to_string(),
            _ => format!("{}-{}", run[0], run[run.len() - 1]),
        })
        .collect();
    format!("{} {}", if numbers.len() == 1 { "step" } else { "steps" }, runs.join(", "))
}

/// What a model knows of the outcome, whether or not it is better for it.
fn signal_line(m: &ModelReportDoc) -> Option<String> {
    let signal = m.vs_naive.signal.filter(|signal| signal.p_value_holm < VERDICT_LEVEL)?;
    Some(format!("{}: {}", m.model, signal_text(signal.p_value_holm, m.vs_naive.verdict_code)))
}

fn signal_text(p: f64, verdict: VerdictCode) -> String {
    let beside = if verdict == VerdictCode::Better { "" } else { "; that alone is no advantage" };
    format!("contains signal (Clark-West, {}){beside}", p_text(p))
}

/// Direction and confidence of a price model.
fn direction_line(m: &ModelReportDoc) -> Option<String> {
    let MetricsDoc::Price(metrics) = &m.metrics else { return None };
    let (d, accuracy) = (m.direction.as_ref()?, metrics.directional_accuracy?);
    let verdict = match d.p_value {
        Some(p) if p < VERDICT_LEVEL => format!("better ({})", p_text(p)),
        Some(p) => format!("no evidence that it is better ({})", p_text(p)),
        None => "cannot be told".into(),
    };
    let brier = m.reliability.brier.map_or_else(String::new, |b| {
        format!("; confidence: Brier {b:.4} (coin toss 0.25), ECE {}", fixed(m.reliability.ece, 3))
    });
    Some(format!(
        "{}: direction right {:.1} % against {:.1} % by always saying the usual: {verdict}{brier}",
        m.model,
        100.0 * accuracy,
        100.0 * d.reference
    ))
}

/// Confidence of a model of classes.
fn class_line(m: &ModelReportDoc) -> Option<String> {
    if !matches!(m.metrics, MetricsDoc::Direction(_)) {
        return None;
    }
    let (ece, brier) = (m.reliability.ece?, m.reliability.brier?);
    Some(format!("{}: confidence that its class is right: ECE {ece:.3}, Brier {brier:.4}", m.model))
}

/// How often directions or classes were right lately: an edge fades, so every figure has its dates.
fn recent_line(m: &ModelReportDoc) -> Option<String> {
    let what = if matches!(m.metrics, MetricsDoc::Direction(_)) { "class" } else { "direction" };
    m.recent_direction.as_ref().map(|rate| format!("{}: {}", m.model, hit_rate(what, rate)))
}

/// How an ensemble weighs its members by the end of the walk-forward.
fn ensemble_lines(m: &ModelReportDoc) -> Vec<String> {
    let mut lines = m.ensemble.as_ref().map_or_else(Vec::new, weights_lines);
    if let Some(first) = lines.first_mut() {
        *first = format!("{}: {first}", m.model);
    }
    lines
}

/// How often the forecasts were right whose confidence is high.
fn selected_text(s: &SelectedDoc) -> String {
    let share = percent(Some(s.share), 1);
    let which = if s.asked {
        format!("confidence >= {:.2} in {share} of forecasts", s.threshold)
    } else if (s.share - 0.1).abs() < 0.005 {
        format!("surest tenth (confidence >= {:.2})", s.threshold)
    } else {
        // Many are as sure as those that bound the tenth.
        format!("surest {share} (confidence >= {:.2})", s.threshold)
    };
    match s.hit_rate {
        Some(rate) => format!("{which}: right in {:.1} % ({})", 100.0 * rate, interval(s.lower, s.upper)),
        None => format!("{which}: none with an outcome"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_in_a_row_are_written_as_one() {
        assert_eq!(steps(&[1]), "step 1");
        assert_eq!(steps(&[1, 2, 3]), "steps 1-3");
        assert_eq!(steps(&[1, 3, 4, 9]), "steps 1, 3-4, 9");
    }

    #[test]
    fn the_surest_forecasts_are_told_by_their_threshold() {
        let tenth = SelectedDoc {
            threshold: 0.5712,
            asked: false,
            share: 0.1003,
            hit_rate: Some(0.601),
            lower: Some(0.582),
            upper: Some(0.62),
            count: 812,
        };
        assert_eq!(
            selected_text(&tenth),
            "surest tenth (confidence >= 0.57): right in 60.1 % (90 % interval 58.2 to 62.0 %)"
        );
        let many = SelectedDoc { share: 0.34, lower: None, upper: None, ..tenth };
        assert_eq!(
            selected_text(&many),
            "surest 34.0 % (confidence >= 0.57): right in 60.1 % (too few for an interval)"
        );
        let asked = SelectedDoc { asked: true, threshold: 0.6, share: 0.05, ..tenth };
        assert!(selected_text(&asked).starts_with("confidence >= 0.60 in 5.0 % of forecasts: right in 60.1 % ("));
        let none = SelectedDoc { share: 0.0, hit_rate: None, lower: None, upper: None, count: 0, ..asked };
        assert_eq!(selected_text(&none), "confidence >= 0.60 in 0.0 % of forecasts: none with an outcome");
    }

    #[test]
    fn a_signal_is_told_apart_from_an_advantage() {
        assert_eq!(signal_text(0.01, VerdictCode::Better), "contains signal (Clark-West, p = 0.01)");
        let alone = signal_text(0.0003, VerdictCode::None);
        assert_eq!(alone, "contains signal (Clark-West, p < 0.001); that alone is no advantage");
    }
}
