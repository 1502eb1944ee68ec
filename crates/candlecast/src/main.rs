//! The candlecast command line.

mod cli;
mod commands;
mod output;
mod plot;
mod progress;
mod requests;
mod splits;
mod tables;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use candlecast_config::{Environment, Flags, Settings};
use candlecast_core::{Problem, Seed};
use candlecast_host::{Clock, Host, HostOptions};
use clap::Parser;

use crate::cli::{Cli, Command};
use crate::commands::doctor;
use crate::output::Output;

/// Keeps what is freed for a moment: columns of a series come and go, and pages from the system cost more than most
/// features do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let cli = match command_line(&args) {
        Ok(cli) => cli,
        Err(e) => return usage_error(&e, &args),
    };
    let output = Output::new(&cli.global);
    match run(cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            output.problem(&e);
            ExitCode::from(e.exit_code())
        }
    }
}

/// Reads the command line. Only to `doctor` does `--config` without a file mean something: `--show-config`.
fn command_line(args: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(args).or_else(|e| match Cli::try_parse_from(bare_config_spelt_out(args)) {
        Ok(cli) if matches!(cli.command, Command::Doctor(_)) => Ok(cli),
        _ => Err(e),
    })
}

/// `args` with `--show-config` for every `--config` that no file follows.
fn bare_config_spelt_out(args: &[OsString]) -> Vec<OsString> {
    let follows = |i: usize| args.get(i + 1).is_some_and(|next| !next.to_string_lossy().starts_with('-'));
    let spelt_out = |(i, arg): (usize, &OsString)| {
        if arg == "--config" && !follows(i) { OsString::from("--show-config") } else { arg.clone() }
    };
    args.iter().enumerate().map(spelt_out).collect()
}

/// clap's own errors, as problem+json where `--json` was given. Help and version end well.
fn usage_error(e: &clap::Error, args: &[OsString]) -> ExitCode {
    let json = args.iter().any(|a| a == "--json");
    if e.use_stderr() && json {
        let text = e.render().to_string();
        // The whole message: clap names missing arguments and allowed values on the lines after the first.
        let detail = text.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
        Output::print_problem_json(&Problem::usage("bad-usage", "arguments", detail));
    } else {
        // A closed pipe must not turn help into a panic.
        let _ = e.print();
    }
    ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2))
}

/// Logs what is at least as serious as `level`, one of the levels of the settings.
fn start_log(level: &str) {
    let filter = tracing_subscriber::EnvFilter::new(level);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// Longest wait at the end of the process for work on files that nobody waits for any more.
const LAST_WAIT: Duration = Duration::from_secs(2);

fn run(cli: Cli, output: &Output) -> Result<(), Problem> {
    if let Some(done) = commands::without_app(&cli.command, output) {
        return done;
    }
    let flags =
        Flags { data_dir: cli.global.data_dir.clone(), config: cli.global.config.clone(), quiet: cli.global.quiet };
    let settings = Settings::read(&flags, &Environment::of_process(), &candlecast_app::MODEL_CATALOG)?;
    start_log(&settings.log_level);
    // Before anything is opened: a configuration is looked at when something does not open.
    if let Command::Doctor(args) = &cli.command
        && args.show_config
    {
        return doctor::show_config(&settings, *output);
    }
    let cancel = Arc::new(AtomicBool::new(false));
    on_interrupt(&cancel);
    let options = HostOptions {
        seed: Seed(cli.global.seed),
        threads: cli.global.threads,
        clock: cli.global.now.map_or(Clock::System, Clock::Fixed),
        cancel,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Problem::data("no-threads", format!("the runtime could not be started: {e}")))?;
    let done = runtime.block_on(async {
        if let Command::Restore(args) = &cli.command {
            return commands::restore::run(args, &settings, options.clock.now(), &options.cancel, *output).await;
        }
        let app = Host::open(settings, options)?;
        Box::pin(commands::run(cli.command, &app, output)).await
    });
    // What an interrupted command still waits for, a lock of another program for example, must not keep the process: it
    // is safe to be cut off anywhere.
    runtime.shutdown_timeout(LAST_WAIT);
    done
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        let args: Vec<OsString> = line.split(' ').map(Into::into).collect();
        command_line(&args)
    }

    fn shows_config(line: &str) -> bool {
        matches!(parse(line).unwrap().command, Command::Doctor(args) if args.show_config)
    }

    #[test]
    fn config_without_a_file_means_the_settings_to_doctor_alone() {
        assert!(shows_config("candlecast doctor --config"));
        assert!(shows_config("candlecast doctor --config --json"));
        assert!(shows_config("candlecast --config c.toml doctor --config"));
        assert!(shows_config("candlecast doctor --show-config"));
        assert!(!shows_config("candlecast doctor --config c.toml"));
        for line in ["candlecast data list --config", "candlecast predict --model doctor --config"] {
            let error = parse(line).unwrap_err();
            assert!(error.to_string().contains("--config <FILE>"), "{error}");
        }
        let cli = parse("candlecast --config c.toml doctor --config").unwrap();
        assert_eq!(cli.global.config, Some("c.toml".into()));
    }
}
