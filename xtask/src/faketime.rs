//! Clocks that are wrong: the library `libfaketime` between a program and its system.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{packages, sh};

/// Folders with one for each kind of processor, and folders without.
const MULTI_ARCH: &str = "/usr/lib";
const PLAIN: [&str; 3] = ["/usr/lib/faketime", "/usr/lib64/faketime", "/usr/local/lib/faketime"];
const LIBRARY: &str = "libfaketime.so.1";

/// The library. Only the wall clock is wrong: programs that count how long something takes are not fooled.
#[derive(Debug, Clone)]
pub(crate) struct Faketime {
    library: PathBuf,
}

impl Faketime {
    /// The library of this machine, installed where that may be done.
    pub(crate) fn find_or_install() -> Result<Self> {
        if find().is_none() {
            packages::require(&["faketime"])?;
        }
        let library = find().with_context(|| format!("there is no {LIBRARY} (apt-get install faketime)"))?;
        Ok(Self { library })
    }

    /// Words before a program whose clock is `offset_s` seconds ahead of this machine's.
    pub(crate) fn ahead(&self, offset_s: i64) -> Vec<String> {
        self.words(&format!("FAKETIME={offset_s:+}s"))
    }

    /// Words before a program whose clock is as many seconds ahead as `file` says at each moment; [`write_offset`]
    /// writes it.
    pub(crate) fn by_file(&self, file: &Path) -> Vec<String> {
        let mut words = self.words(&format!("FAKETIME_TIMESTAMP_FILE={}", file.display()));
        words.push("FAKETIME_NO_CACHE=1".into());
        words
    }

    fn words(&self, how: &str) -> Vec<String> {
        let preload = format!("LD_PRELOAD={}", self.library.display());
        // Older versions know the second name.
        ["env", &preload, "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1", how].map(str::to_owned).to_vec()
    }
}

/// Sets the clocks of the programs behind [`Faketime::by_file`].
pub(crate) fn write_offset(file: &Path, offset_s: i64) -> Result<()> {
    // Whole at once: a program may read it at any moment.
    crate::sections::replace_file(file, &format!("{offset_s:+}\n"))
}

/// How far the clock behind `words` is ahead of this machine's, in seconds.
pub(crate) fn measured(words: &[String]) -> Result<i64> {
    let (program, rest) = words.split_first().context("no words before the program")?;
    let fake = seconds(Command::new(program).args(rest).args(["date", "+%s"]))?;
    Ok(fake - seconds(Command::new("date").arg("+%s"))?)
}

/// An error unless the clock behind `words` is `offset_s` seconds ahead, give or take what starting a program takes.
pub(crate) fn check(words: &[String], offset_s: i64) -> Result<()> {
    let found = measured(words)?;
    ensure!((found - offset_s).abs() <= 5, "a clock was to be {offset_s} s ahead and is {found} s ahead");
    Ok(())
}

fn seconds(date: &mut Command) -> Result<i64> {
    sh::capture(date)?.parse().context("`date +%s` printed no number")
}

fn find() -> Option<PathBuf> {
    let folders = fs::read_dir(MULTI_ARCH).into_iter().flatten().flatten().map(|entry| entry.path().join("faketime"));
    let mut files = folders.chain(PLAIN.map(PathBuf::from)).map(|folder| folder.join(LIBRARY));
    files.find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_the_library_and_leave_other_clocks_alone() {
        let faketime = Faketime { library: "/usr/lib/x/libfaketime.so.1".into() };
        let ahead = faketime.ahead(60).join(" ");
        assert!(ahead.starts_with("env LD_PRELOAD=/usr/lib/x/libfaketime.so.1 "), "{ahead}");
        assert!(ahead.contains("DONT_FAKE_MONOTONIC=1") && ahead.ends_with(" FAKETIME=+60s"), "{ahead}");
        assert!(faketime.ahead(-3).join(" ").ends_with("FAKETIME=-3s"));
        assert!(faketime.by_file(Path::new("offset")).contains(&"FAKETIME_TIMESTAMP_FILE=offset".to_owned()));
    }

    #[test]
    fn clocks_move_where_the_library_is_there() {
        let Some(library) = find() else {
            println!("skipped: no {LIBRARY} here (apt-get install faketime)");
            return;
        };
        let faketime = Faketime { library };
        check(&faketime.ahead(3_600), 3_600).unwrap();
        assert!(check(&faketime.ahead(3_600), 0).is_err());
        let file = std::env::temp_dir().join(format!("xtask-faketime-{}", std::process::id()));
        for offset_s in [0, 7_200, -600] {
            write_offset(&file, offset_s).unwrap();
            check(&faketime.by_file(&file), offset_s).unwrap();
        }
        fs::remove_file(file).unwrap();
    }
}
