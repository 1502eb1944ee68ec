//! Backtests on record, for people.

use crate::doc::{BacktestDoc, BacktestsDoc, RerunDoc, RerunModelDoc};
use crate::text::{day, plain, price};

/// A page of backtests.
pub fn backtests(page: &BacktestsDoc) -> String {
    if page.backtests.is_empty() {
        return "no backtest is on record".into();
    }
    let header = ["id", "status", "series", "models", "method", "ahead", "when", "best", "what is said of it"];
    let mut text = plain(&header, page.backtests.iter().map(row).collect());
    if let Some(next) = &page.next {
        text.push_str(&format!("\nmore with --after {next}"));
    }
    text
}

fn row(b: &BacktestDoc) -> Vec<String> {
    let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
    let series = [&b.symbol, &b.interval].map(|part| part.clone().unwrap_or_default()).join(" ");
    vec![
        b.backtest_id.clone(),
        b.status.to_owned(),
        series,
        b.models.join(","),
        or_dash(&b.method),
        b.horizon_steps.map_or_else(|| "-".into(), |steps| steps.to_string()),
        day(b.created_at),
        or_dash(&b.best),
        b.error.clone().or_else(|| b.verdict.clone()).unwrap_or_else(|| "-".into()),
    ]
}

/// Whether a backtest is the same when it is done again.
pub fn rerun(r: &RerunDoc) -> String {
    let header = ["model", "forecasts", "loss then", "loss now", "difference"];
    let table = plain(&header, r.models.iter().map(model_row).collect());
    format!("{}\n{table}\n{}", r.backtest_id, r.because)
}

fn model_row(m: &RerunModelDoc) -> Vec<String> {
    let bits = if m.same_bits { "the same bits" } else { "other bits" };
    let difference = m.difference.map_or_else(|| "-".into(), |difference| format!("{:.4} %", 100.0 * difference));
    vec![m.model.clone(), bits.into(), price(m.loss.then), price(m.loss.now), difference]
}
