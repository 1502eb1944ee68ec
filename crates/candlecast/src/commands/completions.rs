//! `candlecast completions`.

use candlecast_core::Problem;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::output::Output;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  candlecast completions bash > ~/.local/share/bash-completion/completions/candlecast"
)]
pub(crate) struct CompletionsArgs {
    /// Shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<(), Problem> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "candlecast", &mut script);
    Output::line(String::from_utf8_lossy(&script).trim_end())
}
