//! Marked sections of a Markdown file, written by a command and replaced by the next run of it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// A section's place: `<!-- kind:name -->` to `<!-- /kind:name -->`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark<'a> {
    /// Which command writes it.
    pub(crate) kind: &'a str,
    /// Which of its results.
    pub(crate) name: &'a str,
}

/// Puts `body` into `file` at `mark`; a missing file begins with `heading`. The file is replaced whole.
pub(crate) fn write(file: &Path, heading: &str, mark: Mark<'_>, body: &str) -> Result<()> {
    let old = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => heading.to_owned(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    replace_file(file, &replaced(&old, mark, body))
}

/// Writes beside `file` and renames, so that an interrupted run leaves the old file.
pub(crate) fn replace_file(file: &Path, text: &str) -> Result<()> {
    let beside = file.with_extension("tmp");
    fs::write(&beside, text).with_context(|| format!("cannot write {}", beside.display()))?;
    fs::rename(&beside, file).with_context(|| format!("cannot replace {}", file.display()))
}

/// `document` with the section at `mark` replaced, or appended if there is none.
fn replaced(document: &str, mark: Mark<'_>, body: &str) -> String {
    let open = format!("<!-- {}:{} -->", mark.kind, mark.name);
    let close = format!("<!-- /{}:{} -->", mark.kind, mark.name);
    let section = format!("{open}\n{}\n{close}", body.trim());
    let found = document.rfind(&open).and_then(|start| {
        let length = document[start..].find(&close)?;
        Some((start, start + length + close.len()))
    });
    match found {
        Some((start, end)) => format!("{}{section}{}", &document[..start], &document[end..]),
        None => format!("{}\n\n{section}\n", document.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark<'_> = Mark { kind: "verify", name: "kill" };

    #[test]
    fn sections_are_appended_then_replaced_in_place() {
        let one = replaced("# Results\n", MARK, "first\n");
        assert_eq!(one, "# Results\n\n<!-- verify:kill -->\nfirst\n<!-- /verify:kill -->\n");
        let two = replaced(&one, Mark { name: "killer", ..MARK }, "other");
        let three = replaced(&two, MARK, "second");
        assert!(three.contains("second") && three.contains("other") && !three.contains("first"), "{three}");
        assert_eq!(replaced(&three, MARK, "second"), three);
    }

    #[test]
    fn a_section_that_is_not_closed_is_left_alone() {
        let broken = "# R\n<!-- verify:kill -->\nby hand\n";
        assert!(replaced(broken, MARK, "new").starts_with("# R\n<!-- verify:kill -->\nby hand\n"));
    }
}
