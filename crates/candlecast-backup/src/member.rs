//! Names of an archive's members: parts, and what is refused.

use std::path::{Path, PathBuf};

/// The first member.
pub(super) const HEADER: &str = "candlecast-backup.json";
/// The last member.
pub(super) const MANIFEST: &str = "manifest.json";
/// What the database's dump holds.
pub(super) const DUMP: &str = "database/dump.json";

/// A folder of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Records of the metadata database.
    Database,
    /// The model folder.
    Models,
    /// The lake.
    Candles,
}

impl Part {
    const ALL: [Self; 3] = [Self::Database, Self::Models, Self::Candles];

    /// The folder's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Models => "models",
            Self::Candles => "candles",
        }
    }
}

/// The part and the path below it that a name stands for. `None` for a name that no backup has: one that is absolute,
/// leads upwards, is hidden, belongs to no part, or means something else on another system.
pub(super) fn parse(name: &str) -> Option<(Part, PathBuf)> {
    let (first, below) = name.split_once('/')?;
    let part = Part::ALL.into_iter().find(|part| part.name() == first)?;
    below.split('/').all(is_plain).then(|| (part, Path::new(below).to_owned()))
}

/// True for a name of one file or folder that is plain everywhere: visible, without separators, drives and streams.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && !name.ends_with(['.', ' '])
        && !name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_three_parts_are_read() {
        let lake = parse("candles/venue=binance/symbol=BTCUSDT/interval=1h/year=2023.parquet").unwrap();
        assert_eq!(lake.0, Part::Candles);
        assert_eq!(lake.1, Path::new("venue=binance/symbol=BTCUSDT/interval=1h/year=2023.parquet"));
        assert_eq!(parse("models/BTCUSDT_LSTM_1.0.0.meta.json").unwrap().0, Part::Models);
        assert_eq!(parse(DUMP).unwrap().0, Part::Database);
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let bad = [
            "",
            "models",
            "models/",
            "/models/a",
            "models//a",
            "models/../a",
            "models/./a",
            "../models/a",
            "models/.lock",
            "models/a\\b",
            "models/C:a",
            "models/a\0",
            "models/a.",
            "other/a",
            "manifest.json",
            "candlecast.db",
        ];
        for name in bad {
            assert_eq!(parse(name), None, "{name:?}");
        }
    }
}
