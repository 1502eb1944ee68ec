//! Backups: under its name there is always a whole archive, the one before or the new one, and it restores what it was
//! made of.

use anyhow::{Context, Result, ensure};

use super::{Check, Round, Undisturbed};
use crate::kill::kinds::arguments;
use crate::kill::known::Known;
use crate::program::{Program, remove_folder};

#[derive(Debug)]
struct Backup {
    /// What the archive holds that was there before.
    earlier: Known,
}

pub(in crate::kill) fn prepare(undisturbed: &Undisturbed<'_>) -> Result<Box<dyn Check>> {
    let Undisturbed { site, program, before, earlier, .. } = undisturbed;
    ensure!(earlier.holds(before, None).is_err(), "the two archives hold the same, so they cannot be told apart");
    restored(program, &site.archive())?.holds(before, None)?;
    Ok(Box::new(Backup { earlier: (*earlier).clone() }))
}

impl Check for Backup {
    fn left(&self, round: &Round<'_>) -> Result<()> {
        let restored = restored(round.program, &round.site.archive()).context("the archive under its final name")?;
        if round.is_acknowledged() {
            return restored.holds(round.known, None).context("the backup that was made");
        }
        if restored.holds(round.known, None).is_ok() {
            return Ok(());
        }
        restored.holds(&self.earlier, None).context("the backup that was there before")
    }

    fn complete(&self, round: &Round<'_>) -> Result<()> {
        round.program.complete(&arguments(round.line))?;
        restored(round.program, &round.site.archive())?.holds(round.known, None)
    }
}

/// What a folder answers into which the archive was restored, with its records in SQLite.
fn restored(program: &Program, archive: &str) -> Result<Known> {
    let folder = program.data_dir.with_extension("restored");
    remove_folder(&folder)?;
    let restored = program.elsewhere(folder);
    restored.complete(&["restore", archive])?;
    Known::of(&restored)
}
