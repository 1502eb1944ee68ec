//! `candlecast doctor`.

use candlecast_app::{App, AppError, instruction_set};
use clap::Args;
use serde_json::json;

use crate::output::Output;
use crate::tables;

/// Check the data folder, the stores, memory and processor, and say what to fix
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {}

struct Finding {
    what: &'static str,
    ok: bool,
    detail: String,
}

pub(crate) async fn run(_: &DoctorArgs, app: &App, output: Output) -> Result<(), AppError> {
    let mut findings = vec![folder(app), processor(app), memory(app)];
    findings.push(candles(app).await);
    findings.push(models(app));
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
        tables::plain(&["check", "", "detail"], rows)
    })?;
    if bad > 0 { Err(AppError::data("unhealthy", format!("{bad} checks failed, see above"))) } else { Ok(()) }
}

fn folder(app: &App) -> Finding {
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

fn processor(app: &App) -> Finding {
    Finding {
        what: "processor",
        ok: true,
        detail: format!("{}, {} computation threads", instruction_set(), app.threads()),
    }
}

/// Memory available, where the system tells it.
fn memory(app: &App) -> Finding {
    let limit_mb = app.settings.max_memory >> 20;
    let available_mb = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("MemAvailable:"))?.to_owned();
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb >> 10)
    });
    match available_mb {
        Some(mb) if mb < 512 => Finding {
            what: "memory",
            ok: false,
            detail: format!("{mb} MB available: trainings may fail; close other programs or set ML_MAX_MEMORY_USAGE"),
        },
        Some(mb) => {
            Finding { what: "memory", ok: true, detail: format!("{mb} MB available, trainings may use {limit_mb} MB") }
        }
        None => Finding { what: "memory", ok: true, detail: format!("trainings may use {limit_mb} MB") },
    }
}

async fn candles(app: &App) -> Finding {
    match app.coverage().await {
        Ok(list) => {
            let damaged: Vec<String> = list.iter().flat_map(|c| c.damaged.clone()).collect();
            let rows: usize = list.iter().map(|c| c.rows).sum();
            let detail =
                if damaged.is_empty() { format!("{} series, {rows} candles", list.len()) } else { damaged.join("; ") };
            Finding { what: "candles", ok: damaged.is_empty(), detail }
        }
        Err(e) => Finding { what: "candles", ok: false, detail: e.detail },
    }
}

fn models(app: &App) -> Finding {
    match app.models() {
        Ok(list) => {
            let corrupt: Vec<String> =
                list.iter().filter_map(|l| l.reason.as_ref().map(|r| format!("{}: {r}", l.name))).collect();
            let detail = if corrupt.is_empty() { format!("{} saved", list.len()) } else { corrupt.join("; ") };
            Finding { what: "models", ok: corrupt.is_empty(), detail }
        }
        Err(e) => Finding { what: "models", ok: false, detail: e.detail },
    }
}
