//! Stored models for people.

use std::path::Path;

use candlecast_core::TimeRange;
use candlecast_pipeline::doc::{HitRateDoc, loss_key};
use candlecast_registry::{Listed, ModelManifest, ServingChange, Tries};
use serde_json::Value;

use crate::doc::EvidenceDoc;
use crate::models::{ElsewhereModel, config_and_pipeline};
use crate::text::{count, day, hit_rate, percent, price, span, table};

/// The list of models.
pub fn models(listed: &[Listed]) -> String {
    if listed.is_empty() {
        return "no model is saved yet: try `candlecast train`".into();
    }
    let header = ["id", "status", "trained", "horizon", "loss", "skill", "right", "verdict of the test"];
    let mut t = table(&header, [3, 4, 5, 6]);
    for l in listed {
        let manifest = l.manifest.as_ref();
        let metric = |name: &str| manifest.and_then(|m| m.metrics.get(name)).and_then(Value::as_f64);
        t.add_row([
            l.name.to_string(),
            l.reason.as_ref().map_or_else(|| l.status.to_string(), |r| format!("{}: {r}", l.status)),
            manifest.map_or_else(|| "-".into(), |m| day(m.trained_at)),
            manifest.map_or_else(|| "-".into(), |m| m.horizon_steps.to_string()),
            price(manifest.and_then(|m| metric(loss_key(&m.task)))),
            percent(metric("skill"), 2),
            percent(metric("directionalAccuracy").or_else(|| metric("accuracy")), 1),
            manifest.and_then(EvidenceDoc::of).map_or_else(|| "-".into(), |test| test.verdict),
        ]);
    }
    let mut text = t.to_string();
    text.push_str(
        "\nloss: MAE of prices, log loss of directions, QLIKE of volatilities; right: share of right directions.",
    );
    text
}

/// The list of models that lie in other folders.
pub fn models_elsewhere(found: &[ElsewhereModel]) -> String {
    if found.is_empty() {
        return "the records know of no model in another folder that is like that".into();
    }
    let mut t = table(&["id", "folder", "status there", "trained", "horizon", "right"], [4, 5]);
    for model in found {
        t.add_row([
            model.name.to_string(),
            model.folder.clone().unwrap_or_else(|| "?".into()),
            model.status.clone(),
            day(model.trained_at),
            model.horizon_steps.to_string(),
            percent(model.accuracy, 1),
        ]);
    }
    format!("{t}\nTheir files are not here: the workers and programs of that folder read them.")
}

/// How much was scored on the test part; `None` where this was the first.
pub fn tries_line(tries: Tries) -> Option<String> {
    (tries.scorings > 1).then(|| {
        format!(
            "{} trainings and evaluations of {} have been scored on candles of this test part: the more are tried, the less the best of them means",
            tries.scorings,
            count(tries.configurations as usize, "configuration"),
        )
    })
}

/// What served when in the slots of a series and type.
pub fn serving_history(changes: &[ServingChange]) -> String {
    if changes.is_empty() {
        return "no change of what serves is on record".into();
    }
    let mut t = table(&["time", "horizon", "from", "to", "why", "by"], [1]);
    for c in changes {
        let [from, to] = [c.from, c.to].map(|version| version.map_or_else(|| "-".into(), |v| v.to_string()));
        t.add_row([day(c.at), c.horizon.to_string(), from, to, c.why.to_string(), c.by.clone()]);
    }
    t.to_string()
}

/// The series of the pool that a model learnt from; `None` without a pool.
pub fn pool_line(pool: &[String]) -> Option<String> {
    (!pool.is_empty()).then(|| format!("learnt from a pool of {} other series, too: {}", pool.len(), pool.join(", ")))
}

/// One model.
pub fn model(m: &ModelManifest, path: &Path) -> String {
    let pretty = |v: &Value| serde_json::to_string_pretty(v).unwrap_or_default();
    let (config, pipeline) = config_and_pipeline(m);
    format!(
        "{} ({}), {}\ntrained {} on {} candles, {}\n{}horizon {}, seed {}, {}, {}\n{}{}{}features: {}\nmetrics {}\nbaselines {}\nconfiguration {}\npipeline {}\nsha256 {}\n{}",
        m.id,
        m.status,
        m.name,
        day(m.trained_at),
        m.data_points,
        span(Some(TimeRange { from: m.data_range.from, to: m.data_range.to })),
        pool_line(&m.pool).map_or_else(String::new, |line| format!("{line}\n")),
        count(m.horizon_steps, "step"),
        m.seed,
        m.program_version,
        m.instruction_set,
        EvidenceDoc::of(m).map_or_else(String::new, |test| format!("on its test part: {}\n", test.verdict)),
        recent_line(m).map_or_else(String::new, |line| format!("{line}\n")),
        m.tries.and_then(tries_line).map_or_else(String::new, |line| format!("{line}\n")),
        if m.features.is_empty() {
            "closes only".into()
        } else {
            m.features.iter().map(|f| f.id.as_str()).collect::<Vec<_>>().join(", ")
        },
        pretty(&m.metrics),
        pretty(&m.baseline_metrics),
        pretty(&config),
        pretty(&pipeline),
        m.sha256,
        path.display(),
    )
}

/// How often its directions or classes were right in the last three months of its test part.
fn recent_line(m: &ModelManifest) -> Option<String> {
    let what = if m.task == "direction" { "class" } else { "direction" };
    Some(hit_rate(what, &HitRateDoc::of_metrics(&m.metrics)?))
}
