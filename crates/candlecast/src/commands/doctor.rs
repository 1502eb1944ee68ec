//! `candlecast doctor`.

use std::sync::Arc;

use candlecast_app::data::check;
use candlecast_app::doc::ConfigDoc;
use candlecast_app::models::verify_models;
use candlecast_app::text;
use candlecast_config::Settings;
use candlecast_core::{Blame, Problem, ProgressSink};
use candlecast_host::{Host, PROGRAM, blocking};
use candlecast_monitor::count_pending_predictions;
use candlecast_pipeline::{instruction_set, program_identity};
use clap::Args;
use serde_json::json;

use crate::output::Output;
use crate::progress::Bar;

/// Check the data folder, memory, processor and records, read every candle and every model, and say what to fix
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  candlecast doctor\n  candlecast doctor --config\n  candlecast --config other.toml doctor --config --json"
)]
pub(crate) struct DoctorArgs {
    /// Print every setting, its value and where that came from, and check nothing else; --config without a file means
    /// the same
    #[arg(long)]
    pub(crate) show_config: bool,
}

struct Finding {
    what: &'static str,
    ok: bool,
    detail: String,
}

pub(crate) async fn run(_: &DoctorArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let folder = blocking(app, |app| Ok(folder(app))).await?;
    let mut findings = vec![folder, program(), processor(app), memory(app)];
    findings.push(candles(app, output).await?);
    findings.push(models(app, output).await?);
    findings.push(records(app).await);
    let bad = findings.iter().filter(|f| !f.ok).count();
    let doc = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "healthy": bad == 0,
        "checks": findings.iter().map(|f| json!({ "check": f.what, "ok": f.ok, "detail": f.detail })).collect::<Vec<_>>(),
    });
    output.result(&doc, || {
        let rows = findings
            .iter()
            .map(|f| vec![f.what.to_owned(), if f.ok { "ok" } else { "FIX" }.to_owned(), f.detail.clone()])
            .collect();
        text::plain(&["check", "", "detail"], rows)
    })?;
    if bad > 0 {
        Err(Problem::data("unhealthy", format!("{} failed, see above", text::count(bad, "check"))))
    } else {
        Ok(())
    }
}

/// Prints every setting, its value and where that came from.
pub(crate) fn show_config(settings: &Settings, output: Output) -> Result<(), Problem> {
    let doc = ConfigDoc::from(settings);
    output.result(&doc, || config_tables(&doc))
}

fn config_tables(doc: &ConfigDoc) -> String {
    let settings = doc
        .settings
        .iter()
        .map(|s| vec![s.key.to_owned(), s.shown.clone(), s.source.text.clone(), s.note.clone().unwrap_or_default()]);
    let variables =
        doc.without_effect.iter().map(|v| vec![v.name.clone(), v.value.clone(), v.source.text.clone(), v.note.into()]);
    let mut text = text::plain(&["setting", "value", "source", "note"], settings.chain(variables).collect());
    if !doc.schedule.is_empty() {
        let rows = doc.schedule.iter().map(|t| {
            let set = if t.set.is_empty() { "-".to_owned() } else { json!(t.set).to_string() };
            let [interval, venue] = [&t.interval, &t.venue].map(|name| name.as_deref().unwrap_or("-"));
            let priority = t.priority.to_string();
            let pool = if t.pool { "yes" } else { "-" };
            let texts: [&str; 9] = [&t.model, &t.symbol, interval, venue, &t.horizon, pool, &t.when, &priority, &set];
            texts.map(str::to_owned).to_vec()
        });
        let header = ["model", "symbol", "interval", "venue", "horizon", "pool", "when (UTC)", "priority", "set"];
        text = format!("{text}\n\n{}", text::plain(&header, rows.collect()));
    }
    text
}

fn folder(app: &Host) -> Finding {
    let dir = &app.settings.data_dir;
    let probe = dir.join(".doctor");
    let written = std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&probe, b"probe"))
        .and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Finding { what: "data folder", ok: true, detail: format!("{} can be written", dir.display()) },
        Err(e) => Finding {
            what: "data folder",
            ok: false,
            detail: format!("{} cannot be written ({e}): pass --data-dir or correct its permissions", dir.display()),
        },
    }
}

/// Two programs of one identity give the same bits, and go on from each other's checkpoints.
fn program() -> Finding {
    Finding { what: "program", ok: true, detail: format!("{PROGRAM}, identity {}", &program_identity()[..16]) }
}

fn processor(app: &Host) -> Finding {
    Finding {
        what: "processor",
        ok: true,
        detail: format!("{}, {} computation threads", instruction_set(), app.threads()),
    }
}

/// Memory available, where the system tells it.
fn memory(app: &Host) -> Finding {
    let limit_mb = app.memory().total_bytes() >> 20;
    let available_mb = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("MemAvailable:"))?.to_owned();
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb >> 10)
    });
    let may_use = format!("trainings may use {limit_mb} MB together");
    match available_mb {
        Some(mb) if mb < 512 => Finding {
            what: "memory",
            ok: false,
            detail: format!("{mb} MB available: trainings may fail; close other programs or set ML_MAX_MEMORY_USAGE"),
        },
        Some(mb) => Finding { what: "memory", ok: true, detail: format!("{mb} MB available, {may_use}") },
        None => Finding { what: "memory", ok: true, detail: may_use },
    }
}

/// Reads every candle, so that every checksum is compared.
async fn candles(app: &Host, output: Output) -> Result<Finding, Problem> {
    let list = match candlecast_app::data::coverage(app).await {
        Ok(list) => list,
        Err(e) => return Ok(Finding { what: "candles", ok: false, detail: e.detail }),
    };
    let bar = Bar::new(output);
    let (mut rows, mut damaged) = (0, Vec::<String>::new());
    for (done, coverage) in list.iter().enumerate() {
        app.check_cancelled()?;
        bar.progress(&coverage.key.to_string(), done as u64, list.len() as u64);
        match check(app, &coverage.key).await {
            Ok(checked) => {
                rows += checked.rows;
                damaged.extend(checked.damaged);
            }
            Err(e) => damaged.push(e.detail),
        }
    }
    let detail = if damaged.is_empty() { format!("{} series, {rows} candles", list.len()) } else { damaged.join("; ") };
    Ok(Finding { what: "candles", ok: damaged.is_empty(), detail })
}

/// Opens the database of records, which brings its schema up to date, and asks it something.
async fn records(app: &Host) -> Finding {
    match count_pending_predictions(app).await {
        Ok(pending) => {
            let place = if app.settings.database_url.is_some() { "DATABASE_URL" } else { "candlecast.db" };
            let waiting = text::count(usize::try_from(pending).unwrap_or(usize::MAX), "prediction");
            Finding { what: "records", ok: true, detail: format!("{place} answers, {waiting} to be validated") }
        }
        Err(e) => Finding { what: "records", ok: false, detail: e.detail },
    }
}

/// Reads every model file, so that every digest is compared.
async fn models(app: &Host, output: Output) -> Result<Finding, Problem> {
    match verify_models(app, Arc::new(Bar::new(output))).await {
        Ok((saved, damaged)) => {
            let detail = if damaged.is_empty() { format!("{saved} saved") } else { damaged.join("; ") };
            Ok(Finding { what: "models", ok: damaged.is_empty(), detail })
        }
        Err(e) if e.blame == Blame::Cancelled => Err(e),
        Err(e) => Ok(Finding { what: "models", ok: false, detail: e.detail }),
    }
}
