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

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn figures_are_the_lines_that_are_objects() {
        let script = r#"echo warming up; echo '{"bench":"a","median_ms":1.5,"runs":3}'"#;
        assert_eq!(printed(&mut shell(script)).unwrap().len(), 1);
        assert!(printed(&mut shell("echo none")).unwrap_err().to_string().contains("printed no figures"));
        assert!(printed(&mut shell("echo '{'")).is_err());
    }

    #[test]
    fn a_side_that_fails_has_no_time() {
        assert!(whole_ms(&mut shell("true")).unwrap() >= 0.0);
        let error = whole_ms(&mut shell("echo broken >&2; exit 2")).unwrap_err().to_string();
        assert!(error.contains("broken") && error.contains("exit status: 2"), "{error}");
    }

    #[test]
    fn what_is_to_be_fresh_is_removed_whether_file_or_folder() {
        let folder = std::env::temp_dir().join(format!("xtask-side-{}", std::process::id()));
        fs::create_dir_all(folder.join("a")).unwrap();
        fs::write(folder.join("a/b"), "").unwrap();
        for path in [folder.join("a/b"), folder.clone(), folder.clone()] {
            remove(&path).unwrap();
            assert!(!path.exists());
        }
    }
}
