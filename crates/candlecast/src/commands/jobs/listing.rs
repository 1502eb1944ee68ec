//! Jobs as text for people.

use candlecast_app::doc::loss_key;
use candlecast_app::doc::{JobDetailDoc, JobDoc, JobsDoc, ProgressDoc};
use candlecast_app::text;
use candlecast_core::Timestamp;
use candlecast_jobs::{JobState, LogLine};
use serde_json::Value;

/// A page of the list.
pub(super) fn page(page: &JobsDoc) -> String {
    if page.jobs.is_empty() {
        return "no jobs".into();
    }
    let header = ["id", "state", "kind", "what", "done", "stage", "ETA", "age", "took"];
    let mut text = text::plain(&header, page.jobs.iter().map(row).collect());
    if let Some(next) = &page.next {
        text.push_str(&format!("\nmore: --after {next}"));
    }
    text
}

fn row(job: &JobDoc) -> Vec<String> {
    vec![
        job.id.clone(),
        state(job),
        job.kind.clone(),
        job.what.clone().unwrap_or_else(|| "-".into()),
        job.progress.as_ref().map_or_else(|| "-".into(), done),
        stage(job),
        eta(job),
        span(job.age_ms),
        job.duration_ms.map_or_else(|| "-".into(), span),
    ]
}

fn state(job: &JobDoc) -> String {
    match job.state {
        JobState::Running if job.cancel_asked => "running, to stop".into(),
        state => state.to_string(),
    }
}

fn done(progress: &ProgressDoc) -> String {
    // Rounded down: what is not finished never shows as 100 %.
    format!("{:.0} %", (100.0 * progress.done_share).floor())
}

fn stage(job: &JobDoc) -> String {
    let Some(progress) = job.progress.as_ref().filter(|_| job.state != JobState::Succeeded) else { return "-".into() };
    match (progress.fold, progress.folds) {
        (Some(fold), Some(folds)) => format!("{} {fold}/{folds}", progress.stage),
        _ => progress.stage.clone(),
    }
}

fn eta(job: &JobDoc) -> String {
    let eta_ms = job.progress.as_ref().and_then(|p| p.eta_ms).filter(|_| job.state == JobState::Running);
    eta_ms.map_or_else(|| "-".into(), |ms| span(i64::try_from(ms).unwrap_or(i64::MAX)))
}

/// A time span in its largest fitting units.
fn span(ms: i64) -> String {
    let s = ms / 1_000;
    match s {
        ..60 => format!("{s} s"),
        60..3_600 => format!("{} min", s / 60),
        3_600..172_800 => format!("{} h {} min", s / 3_600, s / 60 % 60),
        _ => format!("{} d", s / 86_400),
    }
}

/// Everything about one job, its result in short.
pub(super) fn detail(d: &JobDetailDoc) -> String {
    let job = &d.job;
    let time = |t: Option<Timestamp>| t.map_or_else(|| "-".into(), |t| t.to_string());
    let mut lines = vec![
        ("job", format!("{} ({})", job.id, job.kind)),
        ("state", state(job)),
        ("what", job.what.clone().unwrap_or_else(|| "not known to this version".into())),
        ("asked for", job.created_at.to_string()),
        ("begun", time(job.started_at)),
        ("ended", time(job.finished_at)),
        ("took", job.duration_ms.map_or_else(|| "-".into(), span)),
        ("attempt", format!("{} of {}", job.attempt, u64::from(job.attempt) + u64::from(d.attempts_left))),
        ("priority", job.priority.to_string()),
        ("held by", job.owner.clone().unwrap_or_else(|| "-".into())),
    ];
    if let Some(progress) = job.progress.as_ref().filter(|_| job.state != JobState::Succeeded) {
        lines.push(("done", format!("{}, {}, ETA {}", done(progress), stage(job), eta(job))));
    }
    lines.extend(d.max_run_ms.map(|ms| ("time limit", span(i64::try_from(ms).unwrap_or(i64::MAX)))));
    lines.extend(d.threads.map(|n| ("threads", n.to_string())));
    lines.extend(d.folder.clone().map(|folder| ("folder", folder)));
    let waits = job.state == JobState::Queued && d.run_after > job.created_at;
    lines.extend(waits.then(|| ("not before", d.run_after.to_string())));
    lines.extend(job.error.clone().map(|error| ("error", error)));
    let mut text: Vec<String> = lines.into_iter().map(|(name, value)| format!("{name:<10} {value}")).collect();
    text.extend(d.result.as_ref().and_then(scores));
    text.join("\n")
}

/// The scores in a result document, the baselines among them; of a training of several series one table each.
fn scores(result: &Value) -> Option<String> {
    match result["trained"].as_array() {
        Some(several) => Some(several.iter().filter_map(scores_of_one).collect::<Vec<_>>().join("\n\n")),
        None => scores_of_one(result),
    }
}

fn scores_of_one(result: &Value) -> Option<String> {
    let share = |v: &Value| v.as_f64().map_or_else(|| "-".into(), |v| format!("{:.2} %", 100.0 * v));
    let task = result["task"].as_str().unwrap_or("price");
    let loss = |v: &Value| match task {
        "price" => text::price(v.as_f64()),
        _ => text::fixed(v.as_f64(), 4),
    };
    let rows = result["models"].as_array()?.iter().map(|m| {
        let name = m["model"].as_str().unwrap_or("-");
        vec![
            if m["baseline"] == true { format!("{name} *") } else { name.to_owned() },
            loss(&m["metrics"][loss_key(task)]),
            share(&m["metrics"]["skill"]),
            share(&m["metrics"]["coverage"]),
            m["vsNaive"]["verdict"].as_str().unwrap_or("-").to_owned(),
        ]
    });
    let name = match task {
        "direction" => "log loss",
        "volatility" => "QLIKE",
        _ => "MAE",
    };
    let against = format!("against {}", result["reference"].as_str().unwrap_or("naive"));
    let table = text::plain(&["model", name, "skill", "coverage", &against], rows.collect());
    let saved = result["model"]["id"].as_str().map_or_else(String::new, |id| format!("\nsaved as {id}"));
    Some(format!("{table}\n* baselines{saved}"))
}

/// A line of a log.
pub(super) fn log_line(line: &LogLine) -> String {
    format!("{} {:<5} {}", line.at, line.level, line.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_fitting_units() {
        let expected =
            [(0, "0 s"), (59_999, "59 s"), (60_000, "1 min"), (3_660_000, "1 h 1 min"), (172_800_000, "2 d")];
        for (ms, text) in expected {
            assert_eq!(span(ms), text);
        }
    }

    #[test]
    fn what_is_not_finished_never_shows_as_all() {
        let progress = |done_share| ProgressDoc {
            stage: "final fit".into(),
            stage_no: None,
            stages: None,
            fold: None,
            folds: None,
            done_share,
            eta_ms: None,
        };
        assert_eq!(done(&progress(0.999)), "99 %");
        assert_eq!(done(&progress(1.0)), "100 %");
    }
}
