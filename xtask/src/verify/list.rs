//! The long runs, as data.

use super::shares::{Bound, Shares};
use crate::peers;

/// One command of a run. Words may be or hold placeholders: `{cargo}`, `{xtask}`, `{candlecast}` (the binary of the
/// profile `dist`), `{python}` (the peers'), `{scratch}` (the run's own folder, empty), `{data}` (real candles).
#[derive(Debug)]
pub(super) struct Step {
    pub(super) command: &'static [&'static str],
    /// A file for its standard output, instead of the results.
    pub(super) stdout: Option<&'static str>,
}

impl Step {
    /// The flags that it takes, without the dashes: those of measurements, or of a developer command.
    pub(super) fn flags(&self) -> &'static [&'static str] {
        if self.command.contains(&MEASURE) {
            return &MEASURE_FLAGS;
        }
        let command = self.command.get(1).filter(|_| self.command.first() == Some(&"{xtask}"));
        match COMMAND_FLAGS.iter().find(|(name, _)| command == Some(name)) {
            Some((_, flags)) => flags,
            None => &[],
        }
    }

    /// As one would type it.
    pub(super) fn shown(&self) -> String {
        let redirected = self.stdout.map(|file| format!(" > {file}")).unwrap_or_default();
        let text = self.command.join(" ") + &redirected;
        text.replace("{cargo}", "cargo")
            .replace("{xtask}", "cargo xtask")
            .replace("{candlecast}", "target/dist/candlecast")
            .replace("{python}", peers::PYTHON)
            .replace("{scratch}", "target/verify")
            .replace("{data}", "$CANDLECAST_TEST_DATA")
    }
}

/// A long run.
#[derive(Debug)]
pub(super) struct LongRun {
    /// What it is called on the command line and in the marks of `RESULTS.md`.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) needs_peers: bool,
    pub(super) steps: &'static [Step],
    /// What its output must say, beyond success and what it says itself to be required.
    pub(super) shares: Option<Shares>,
}

impl LongRun {
    /// The flags that its steps take, without the dashes.
    pub(super) fn flags(&self) -> Vec<&'static str> {
        self.steps.iter().flat_map(Step::flags).copied().collect()
    }

    /// True where its steps write to a folder that is empty when it begins.
    pub(super) fn uses_scratch(&self) -> bool {
        let mut words = self.steps.iter().flat_map(|step| step.command.iter().chain(&step.stdout));
        words.any(|word| word.contains("{scratch}"))
    }
}

const fn step(command: &'static [&'static str]) -> Step {
    Step { command, stdout: None }
}

const fn step_into(stdout: &'static str, command: &'static [&'static str]) -> Step {
    Step { command, stdout: Some(stdout) }
}

/// A walk-forward over many random walks with these arguments: the example of `candlecast-app`.
macro_rules! random_walks {
    [$($argument:literal),+] => {
        step(&[
            "{cargo}",
            "run",
            "--profile",
            "dist",
            "--package",
            "candlecast-app",
            "--example",
            "random_walks",
            "--",
            $($argument),+
        ])
    };
}

/// The example of `candlecast-pipeline` that measures on real candles, and its flags.
const MEASURE: &str = "measure";
static MEASURE_FLAGS: [&str; 7] = ["coins", "from", "to", "data", "model", "retrain-days", "seeds"];

/// Flags of developer commands, by which a run may be short.
static COMMAND_FLAGS: [(&str, &[&str]); 4] = [
    ("kill-harness", &["kills", "seed", "kinds", "records"]),
    ("stream-faults", &["seconds", "seed"]),
    ("two-hosts", &["jobs", "seed"]),
    ("mutants", &["sample", "seed", "minutes", "dependants"]),
];

/// A measurement on real candles.
macro_rules! measure {
    [$name:literal] => {
        step(&[
            "{cargo}",
            "run",
            "--profile",
            "dist",
            "--package",
            "candlecast-pipeline",
            "--example",
            MEASURE,
            "--",
            $name,
            "--data",
            "{data}"
        ])
    };
}

/// The tests of a package against a server with faults, from more seeds than every change has time for.
macro_rules! through_faults {
    [$package:literal] => {
        step(&[
            "env",
            "CANDLECAST_FAULT_SEEDS=200",
            "{cargo}",
            "test",
            "--package",
            $package,
            "--test",
            "it",
            "--",
            "through_faults",
            "--nocapture",
            "--test-threads=1",
        ])
    };
}

/// Every feature that the catalog lists, by its groups.
const ALL_FEATURES: &str = "group:price,group:average,group:momentum,group:trend,group:volatility,group:volume,\
                            group:microstructure,group:correlation,group:calendar,group:regime";

/// All long runs, the quickest first.
pub(super) static LONG_RUNS: [LongRun; 18] = [
    LongRun {
        name: "order-books",
        title: "Order books of the depth captures beside the best prices and trades of the same captures",
        needs_peers: false,
        steps: &[
            step(&[
                "sha256sum",
                "{data}/raw/binance_ws/spot_btcusdt_20240808.gz",
                "{data}/raw/binance_ws/usdm_btcusdt_20240808.gz",
            ]),
            step(&[
                "{cargo}",
                "test",
                "--package",
                "candlecast-exchange",
                "--test",
                "it",
                "--",
                "captures",
                "--nocapture",
                "--test-threads=1",
            ]),
        ],
        shares: None,
    },
    LongRun {
        name: "lake-python",
        title: "The lake read by PyArrow, pandas, Polars and DuckDB",
        needs_peers: true,
        steps: &[
            step_into(
                "{scratch}/expected.json",
                &[
                    "{cargo}",
                    "run",
                    "--profile",
                    "dist",
                    "--package",
                    "candlecast-store",
                    "--example",
                    "write_lake",
                    "--",
                    "{scratch}/lake",
                ],
            ),
            step(&[
                "{python}",
                "crates/candlecast-store/tests/read_lake.py",
                "{scratch}/lake",
                "{scratch}/expected.json",
            ]),
        ],
        shares: None,
    },
    LongRun {
        name: "features-real",
        title: "Features on real candles beside TA-Lib and NumPy",
        needs_peers: true,
        steps: &[
            step(&["{cargo}", "build", "--profile", "dist", "--package", "candlecast"]),
            step(&[
                "{candlecast}",
                "--data-dir",
                "{scratch}/store",
                "--quiet",
                "import",
                "{data}/candles/BTCUSDT-1h.csv.gz",
            ]),
            step_into(
                "{scratch}/default.json",
                &[
                    "{candlecast}",
                    "--data-dir",
                    "{scratch}/store",
                    "--json",
                    "features",
                    "compute",
                    "--symbol",
                    "BTCUSDT",
                    "--interval",
                    "1h",
                ],
            ),
            step(&[
                "{python}",
                "crates/candlecast-features/golden/check_real.py",
                "{data}/candles/BTCUSDT-1h.csv.gz",
                "{scratch}/default.json",
            ]),
            step(&[
                "{candlecast}",
                "--data-dir",
                "{scratch}/store",
                "--quiet",
                "features",
                "compute",
                "--symbol",
                "BTCUSDT",
                "--interval",
                "1h",
                "--features",
                ALL_FEATURES,
                "--output",
                "{scratch}/all.parquet",
            ]),
            step(&[
                "{python}",
                "crates/candlecast-features/golden/check_real.py",
                "{data}/candles/BTCUSDT-1h.csv.gz",
                "{scratch}/all.parquet",
            ]),
        ],
        shares: None,
    },
    LongRun {
        name: "exchange-faults",
        title: "History, streams and order books from a server with faults, 200 seeds",
        needs_peers: false,
        steps: &[through_faults!["candlecast-exchange"], through_faults!["candlecast-app"]],
        shares: None,
    },
    LongRun {
        name: "two-hosts",
        title: "Two hosts with clocks a minute apart share a queue over encrypted PostgreSQL",
        needs_peers: false,
        steps: &[step(&["{xtask}", "two-hosts"])],
        shares: None,
    },
    LongRun {
        name: "stream-faults",
        title: "A day of one-minute candles streamed through crashes, locks, clocks that jump and a network that is cut",
        needs_peers: false,
        steps: &[
            step(&["{xtask}", "stream-faults"]),
            step(&["{cargo}", "run", "--profile", "dist", "--package", "candlecast-app", "--example", "network_cuts"]),
        ],
        shares: None,
    },
    LongRun {
        name: "kill",
        title: "kill -9 during imports, trainings, walk-forwards, saving, streams and backups, on SQLite and PostgreSQL",
        needs_peers: false,
        steps: &[step(&["{xtask}", "kill-harness"])],
        shares: None,
    },
    LongRun {
        name: "dm-size",
        title: "Size of the Diebold-Mariano test where two forecasts have equal expected loss",
        needs_peers: false,
        steps: &[step(&[
            "{cargo}",
            "run",
            "--profile",
            "dist",
            "--package",
            "candlecast-learn",
            "--example",
            "dm_size",
        ])],
        shares: None,
    },
    LongRun {
        name: "luck",
        title: "What luck does where there is nothing to be found: best strategies, resamples, confidence sets",
        needs_peers: false,
        steps: &[step(&["{cargo}", "run", "--profile", "dist", "--package", "candlecast-learn", "--example", "luck"])],
        shares: None,
    },
    LongRun {
        name: "planted",
        title: "Verdicts where predictability is planted",
        needs_peers: false,
        steps: &[random_walks![
            "--runs",
            "5",
            "--candles",
            "9600",
            "--predictability",
            "0.5",
            "--horizon",
            "3",
            "--models",
            "hybrid,linear,lstm,gru,gbdt,random-forest",
            "--least-kept",
            "95"
        ]],
        shares: Some(Shares {
            models: &["hybrid", "linear", "lstm", "gru", "gbdt", "random-forest"],
            bound: Bound::AtLeast(100.0),
        }),
    },
    LongRun {
        name: "random-walks",
        title: "Verdicts on 500 random walks",
        needs_peers: false,
        steps: &[random_walks!["--runs", "500", "--least-skill", "-0.05"]],
        shares: Some(Shares { models: &["hybrid", "linear"], bound: Bound::AtMost(6.0) }),
    },
    LongRun {
        name: "random-walks-learners",
        title: "Verdicts of the costly learners on 100 random walks",
        needs_peers: false,
        steps: &[random_walks!["--runs", "100", "--models", "lstm,gru,gbdt,random-forest", "--least-skill", "-0.05"]],
        shares: Some(Shares { models: &["lstm", "gru", "gbdt", "random-forest"], bound: Bound::AtMost(6.0) }),
    },
    LongRun {
        name: "intervals",
        title: "Intervals and distributions on five coins, beside the rule before and a normal distribution",
        needs_peers: false,
        steps: &[measure!["intervals"]],
        shares: None,
    },
    LongRun {
        name: "forecasts",
        title: "Prices of five coins by `linear`, 2021 to 2023",
        needs_peers: false,
        steps: &[measure!["forecasts"]],
        shares: None,
    },
    LongRun {
        name: "unseen-coin",
        title: "Prices of a coin by a model that was fitted to four others",
        needs_peers: false,
        steps: &[measure!["unseen-coin"]],
        shares: None,
    },
    LongRun {
        name: "placebo",
        title: "Prices of five coins whose moves got random signs",
        needs_peers: false,
        steps: &[measure!["placebo"]],
        shares: None,
    },
    LongRun {
        name: "volatility",
        title: "Volatilities of five coins by `har-x`, `gbdt` and means, 2021 to 2023",
        needs_peers: false,
        steps: &[measure!["volatility"]],
        shares: None,
    },
    LongRun {
        name: "mutants",
        title: "Changed code that the tests must notice: 300 mutants of six crates",
        needs_peers: false,
        steps: &[step(&["{xtask}", "mutants"])],
        shares: None,
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_nothing_unresolved_is_shown() {
        let names: BTreeSet<&str> = LONG_RUNS.iter().map(|run| run.name).collect();
        assert_eq!(names.len(), LONG_RUNS.len());
        for step in LONG_RUNS.iter().flat_map(|run| run.steps) {
            assert!(!step.shown().contains(['{', '}']), "{}", step.shown());
        }
    }

    #[test]
    fn what_is_built_for_results_is_what_is_handed_out() {
        for step in LONG_RUNS.iter().flat_map(|run| run.steps) {
            let shown = step.shown();
            let builds = shown.starts_with("cargo run") || shown.starts_with("cargo build");
            assert_eq!(builds, shown.contains("--profile dist"), "{shown}");
        }
    }

    #[test]
    fn shares_are_demanded_of_the_models_that_run() {
        for run in LONG_RUNS.iter().filter(|run| run.steps[0].command.contains(&"--models")) {
            let command = run.steps[0].command;
            let models = command.iter().skip_while(|word| **word != "--models").nth(1).unwrap();
            let demanded = run.shares.as_ref().unwrap().models;
            assert_eq!(models.split(',').collect::<Vec<_>>(), demanded, "{}", run.name);
        }
    }

    #[test]
    fn measurements_and_developer_commands_take_flags() {
        let with = |flag: &'static str| -> Vec<&'static str> {
            LONG_RUNS.iter().filter(|run| run.flags().contains(&flag)).map(|run| run.name).collect()
        };
        assert_eq!(with("coins"), ["intervals", "forecasts", "unseen-coin", "placebo", "volatility"]);
        for run in LONG_RUNS.iter().filter(|run| run.flags().contains(&"coins")) {
            assert!(run.steps.len() == 1 && run.steps[0].command.contains(&run.name), "{}", run.name);
        }
        assert_eq!(with("seed"), ["two-hosts", "stream-faults", "kill", "mutants"]);
        assert_eq!((with("kills"), with("minutes")), (vec!["kill"], vec!["mutants"]));
        assert!(LONG_RUNS.iter().find(|run| run.name == "dm-size").unwrap().flags().is_empty());
    }

    #[test]
    fn only_runs_that_write_there_have_a_folder_emptied() {
        let with: Vec<&str> = LONG_RUNS.iter().filter(|run| run.uses_scratch()).map(|run| run.name).collect();
        assert_eq!(with, ["lake-python", "features-real"]);
    }

    #[test]
    fn runs_that_use_python_ask_for_the_peers() {
        for run in &LONG_RUNS {
            let uses = run.steps.iter().any(|step| step.command.contains(&"{python}"));
            assert_eq!(uses, run.needs_peers, "{}", run.name);
        }
    }
}
