//! No file of the project knows the machine it was written on.

use super::{Finding, SourceFile};

/// Top folders of absolute paths that name somebody's machine.
const FOLDERS: [&str; 3] = ["root", "work", "home"];

/// Finds absolute paths below those folders, in any text.
pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    (1..)
        .zip(file.text.lines())
        .filter_map(|(number, line)| {
            let folder = FOLDERS.iter().find(|folder| names_path(line, folder))?;
            let remedy = format!("`/{folder}` is a path of one machine; use a relative path or a variable");
            Some(Finding::new(&file.path, number, "machine-path", remedy))
        })
        .collect()
}

/// The folder at the start of an absolute path: no path, word or URL before it, no longer name after it.
fn names_path(line: &str, folder: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '}' | ')' | '>' | '*');
    let extends = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let wanted = format!("/{folder}");
    line.match_indices(&wanted).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + wanted.len()..].chars().next();
        !before.is_some_and(continues) && !after.is_some_and(extends)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n_found(line: &str) -> usize {
        check(&SourceFile { path: "README.md".into(), text: line.into() }).len()
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        for folder in FOLDERS {
            for line in [format!("see /{folder}/x"), format!("HOME=/{folder}"), format!("cd \"/{folder}/a b\"")] {
                assert_eq!(n_found(&line), 1, "{line}");
            }
        }
    }

    #[test]
    fn other_paths_and_words_pass() {
        for folder in FOLDERS {
            for line in [
                format!("docs/{folder}/x"),
                format!("https://example.org/{folder}/x"),
                format!("$HOME/{folder}"),
                format!("${{DIR}}/{folder}/x"),
                format!("/{folder}stead"),
                format!("/data/{folder}"),
            ] {
                assert_eq!(n_found(&line), 0, "{line}");
            }
        }
    }
}
