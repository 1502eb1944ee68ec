//! Searches for people.

use serde_json::{Map, Value};

use crate::doc::{SearchDoc, SearchesDoc};
use crate::text::{count, day, fixed, plain, price, synthetic};

/// Trials shown, the best first; `hpo export` has all.
const SHOWN: usize = 10;

/// A search with its best trials.
pub fn search(doc: &SearchDoc) -> String {
    search_of(&serde_json::to_value(doc).unwrap_or_default())
}

/// The same from the document as it is on record.
pub fn search_of(doc: &Value) -> String {
    let text = |name: &str| doc[name].as_str().unwrap_or("-").to_owned();
    let mut lines = vec![format!(
        "{} {}: {} {} {}, {} ahead, {}{}",
        text("jobId"),
        text("status"),
        text("symbol"),
        text("interval"),
        text("model"),
        count(doc["horizonSteps"].as_u64().unwrap_or(0) as usize, "step"),
        text("method"),
        synthetic(doc["synthetic"] == Value::Bool(true)),
    )];
    lines.extend(hold_out(doc));
    lines.extend(saved(doc));
    lines.push(trials(doc));
    let important = importances(doc);
    if !important.is_empty() {
        lines.push(important);
    }
    if let Some(front) = doc["paretoFront"].as_array() {
        let numbers: Vec<String> = front.iter().map(ToString::to_string).collect();
        lines.push(format!("Pareto front: trials {}", numbers.join(", ")));
    }
    lines.extend(list(&doc["warnings"]).iter().filter_map(Value::as_str).map(|warning| format!("warning: {warning}")));
    lines.join("\n")
}

/// How much each parameter matters, the most important first; empty where there were too few trials to tell.
pub fn importances(doc: &Value) -> String {
    let rows: Vec<Vec<String>> = list(&doc["importances"])
        .iter()
        .map(|row| {
            let share = |name: &str| fixed(row[name].as_f64().map(|share| 100.0 * share), 1);
            vec![row["param"].as_str().unwrap_or("-").to_owned(), share("value"), share("spread")]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("importance for being among the best tenth\n{}", plain(&["parameter", "%", "+-"], rows))
}

/// Searches, newest first.
pub fn searches(doc: &SearchesDoc) -> String {
    if doc.jobs.is_empty() {
        return "no searches: `candlecast hpo run` begins one".into();
    }
    let rows = doc.jobs.iter().map(|job| {
        vec![
            job.job_id.clone(),
            job.status.clone(),
            format!("{} {} {}", job.symbol, job.interval, job.model),
            job.method.clone(),
            job.trials.to_string(),
            format!("{} {}", job.metric, price(job.best_value)),
            day(job.created_at),
        ]
    });
    let table = plain(&["id", "status", "what", "method", "trials", "best", "asked for"], rows.collect());
    match &doc.next {
        Some(next) => format!("{table}\nmore: --after {next}"),
        None => table,
    }
}

/// What the hold-out said, the first thing to read.
fn hold_out(doc: &Value) -> Vec<String> {
    let held = &doc["holdOut"];
    if held.is_null() {
        return vec![];
    }
    let metric = metric(doc);
    let value = |name: &str| price(held[name]["metrics"][metric.as_str()].as_f64());
    let verdict = held["winner"]["vsNaive"]["verdict"].as_str().unwrap_or("not scored");
    let better = doc["improvement"].as_f64().map_or_else(String::new, |gain| format!(", {gain:+.2} % on the default"));
    vec![
        format!("hold-out, which no trial saw: {verdict}"),
        format!(
            "{metric} there: chosen {}, default {}, naive {}{better}",
            value("winner"),
            value("default"),
            value("naive")
        ),
    ]
}

fn saved(doc: &Value) -> Vec<String> {
    let line = |model: &Value| {
        let standing = match model["candidateBecause"].as_str() {
            Some(why) => format!("a candidate: {why}"),
            None => "serving".to_owned(),
        };
        format!("saved as {}, {standing}", model["id"].as_str().unwrap_or("-"))
    };
    list(&doc["saved"]).iter().map(line).collect()
}

/// The best trials, and how many there are of which kind.
fn trials(doc: &Value) -> String {
    let metric = metric(doc);
    let all = list(&doc["trials"]);
    let n = |state: &str| all.iter().filter(|trial| trial["state"] == state).count();
    let mut best: Vec<&Value> = all.iter().filter(|trial| trial["state"] == "completed").collect();
    let worst_first = doc["bestValue"].as_f64().zip(best.iter().filter_map(|t| t["value"].as_f64()).reduce(f64::max));
    let is_greatest = worst_first.is_some_and(|(best, greatest)| best == greatest);
    best.sort_by(|a, b| {
        let value = |trial: &Value| trial["value"].as_f64().unwrap_or(f64::NAN);
        let order = value(a).total_cmp(&value(b));
        if is_greatest { order.reverse() } else { order }
    });
    let rows: Vec<Vec<String>> = best
        .iter()
        .take(SHOWN)
        .map(|trial| {
            let value = |name: &str| price(trial[name].as_f64());
            vec![trial["number"].to_string(), value("value"), value("naiveValue"), parameters(&trial["parameters"])]
        })
        .collect();
    let counts = format!(
        "{} of {}: {} completed, {} pruned, {} failed; the best of so many looks better than it is",
        count(doc["trialsDone"].as_u64().unwrap_or(0) as usize, "trial"),
        doc["trialsAsked"],
        n("completed"),
        n("pruned"),
        n("failed")
    );
    if rows.is_empty() {
        return counts;
    }
    format!("{counts}\n{}", plain(&["trial", &metric, "naive", "parameters"], rows))
}

/// The metric, the first of several.
fn metric(doc: &Value) -> String {
    let first = doc["metric"].as_str().or_else(|| doc["metric"][0].as_str());
    first.unwrap_or("value").to_owned()
}

fn parameters(value: &Value) -> String {
    let empty = Map::new();
    let named = value.as_object().unwrap_or(&empty).iter();
    named.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[][..], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn doc() -> Value {
        let trial = |number: u32, state: &str, value: Option<f64>| {
            json!({ "number": number, "state": state, "value": value, "naiveValue": 2.0,
                "parameters": { "hiddenSize": 16 * (number + 1) } })
        };
        json!({
            "jobId": "hpo_1", "status": "completed", "symbol": "BTCUSDT", "interval": "1h", "model": "lstm",
            "horizonSteps": 24, "method": "tpe", "metric": "mae", "synthetic": false,
            "bestValue": 1.5, "trialsDone": 3, "trialsAsked": 5, "improvement": -0.5,
            "trials": [trial(0, "completed", Some(1.75)), trial(1, "pruned", Some(9.0)), trial(2, "completed", Some(1.5))],
            "importances": [{ "param": "hiddenSize", "value": 0.875, "spread": 0.25 }],
            "holdOut": {
                "winner": { "metrics": { "mae": 1.625 }, "vsNaive": { "verdict": "no evidence that it beats naive (p = 0.40)" } },
                "default": { "metrics": { "mae": 1.5 } }, "naive": { "metrics": { "mae": 1.75 } },
            },
            "saved": [{ "id": "BTCUSDT_LSTM_1.0.0", "candidateBecause": "too few unseen origins" }],
            "warnings": ["something"],
        })
    }

    #[test]
    fn the_hold_out_comes_first_and_the_best_of_many_last() {
        let text = search_of(&doc());
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in\n{text}"));
        assert!(at("no evidence that it beats naive") < at("3 trials of 5"), "{text}");
        at("mae there: chosen 1.6250, default 1.5000, naive 1.7500, -0.50 % on the default");
        at("saved as BTCUSDT_LSTM_1.0.0, a candidate: too few unseen origins");
        assert!(at("hiddenSize=48") < at("hiddenSize=16"), "the lower error first");
        at("87.5");
        at("warning: something");
        assert!(!text.contains("hiddenSize=32"), "a trial that was given up has no score");
    }

    #[test]
    fn where_more_is_better_the_greatest_comes_first() {
        let mut greatest = doc();
        greatest["bestValue"] = json!(1.75);
        let text = search_of(&greatest);
        assert!(text.find("hiddenSize=16").unwrap() < text.find("hiddenSize=48").unwrap());
    }
}
