//! The candlecast command line.

mod cli;
mod commands;
mod output;
mod plot;
mod progress;
mod requests;
mod tables;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use candlecast_app::{App, AppClock, AppError, AppOptions, Flags, Settings};
use candlecast_core::Seed;
use clap::Parser;

use crate::cli::{Cli, Global};
use crate::output::Output;

/// Keeps what is freed for a moment: columns of a series come and go, and pages from the system cost more than most
/// features do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage_error(&e),
    };
    start_log(&cli.global);
    let output = Output::new(&cli.global);
    match run(cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            output.problem(&e);
            ExitCode::from(e.exit_code())
        }
    }
}

/// clap's own errors, as problem+json where `--json` was given. Help and version end well.
fn usage_error(e: &clap::Error) -> ExitCode {
    let json = std::env::args().any(|a| a == "--json");
    if e.use_stderr() && json {
        let text = e.render().to_string();
        // The whole message: clap names missing arguments and allowed values on the lines after the first.
        let detail = text.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
        Output::print_problem_json(&AppError::usage("bad-usage", "arguments", detail));
    } else {
        // A closed pipe must not turn help into a panic.
        let _ = e.print();
    }
    ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2))
}

fn start_log(global: &Global) {
    let level =
        std::env::var("LOG_LEVEL").unwrap_or_else(|_| if global.quiet { "error".into() } else { "warn".into() });
    let filter = tracing_subscriber::EnvFilter::try_new(level.to_ascii_lowercase())
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

fn run(cli: Cli, output: &Output) -> Result<(), AppError> {
    if let Some(done) = commands::without_app(&cli.command, output) {
        return done;
    }
    let flags = Flags { data_dir: cli.global.data_dir.clone(), config: cli.global.config.clone() };
    let settings = Settings::load(&flags, |name| std::env::var(name).ok())?;
    let cancel = Arc::new(AtomicBool::new(false));
    on_interrupt(&cancel);
    let options = AppOptions {
        seed: Seed(cli.global.seed),
        threads: cli.global.threads,
        clock: cli.global.now.map_or(AppClock::System, AppClock::Fixed),
        cancel,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| AppError::data("no-threads", format!("the runtime could not be started: {e}")))?;
    runtime.block_on(async {
        let app = App::open(settings, options)?;
        commands::run(cli.command, &app, output).await
    })
}

/// The first interrupt asks the work to stop, the second ends the process.
fn on_interrupt(cancel: &Arc<AtomicBool>) {
    let cancel = Arc::clone(cancel);
    let set = ctrlc::set_handler(move || {
        if cancel.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    if let Err(e) = set {
        tracing::warn!(error = %e, "interrupts end the program at once: no handler could be set");
    }
}
