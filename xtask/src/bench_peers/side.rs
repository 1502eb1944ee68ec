//! One run of one side.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::figures::Figure;
use super::list::{Side, Timing};
use super::prepare::Inputs;
use crate::sh;

/// Runs `side` once and returns its figures; a whole process is one figure, named after the pair.
pub(super) fn run(side: &Side, pair: &str, inputs: &Inputs) -> Result<Vec<Figure>> {
    if let Some(path) = side.fresh {
        remove(Path::new(&inputs.resolve(path)?))?;
    }
    let words = side.command.iter().map(|word| inputs.resolve(word)).collect::<Result<Vec<_>>>()?;
    let (program, arguments) = words.split_first().context("a side needs a command")?;
    let mut command = sh::program(program);
    command.args(arguments).envs(side.environment.iter().copied());
    match side.timing {
        Timing::Whole => Ok(vec![Figure::whole(pair, whole_ms(&mut command)?)]),
        Timing::Printed => printed(&mut command),
    }
}

fn remove(path: &Path) -> Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))?;
    } else if path.exists() {
        fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

fn whole_ms(command: &mut Command) -> Result<f64> {
    let start = Instant::now();
    let output = command.output().with_context(|| format!("cannot start `{}`", sh::display(command)))?;
    let took = start.elapsed();
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{}` ended with {}: {}", sh::display(command), output.status, stderr.trim());
    Ok(took.as_secs_f64() * 1e3)
}

fn printed(command: &mut Command) -> Result<Vec<Figure>> {
    let text = sh::capture(command)?;
    let figures = text.lines().filter(|line| line.starts_with('{')).map(Figure::parse).collect::<Result<Vec<_>>>()?;
    ensure!(!figures.is_empty(), "`{}` printed no figures", sh::display(command));
    Ok(figures)
}
