//! The pairs, as data.

/// Which inputs a pair needs beyond its own scratch folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// None.
    Nothing,
    /// A year of one-minute candles as gzipped CSV, `{csv}`.
    YearCsv,
    /// The same imported into a lake, `{lake}`.
    YearLake,
}

/// Who takes the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timing {
    /// We: the whole process from start to exit.
    Whole,
    /// The program: each line of its standard output that is a JSON object with `bench` and `median_ms` is a
    /// figure; `variant` tells settings apart (one that begins with `bf16` is shown but never counts as the best),
    /// and other fields are shown beside.
    Printed,
}

/// One program. Words may be or hold placeholders: `{dist}` (folder of the binaries of the profile `dist`), `{cargo}`,
/// `{python}`, `{scratch}` (the pair's folder), and the inputs' names.
#[derive(Debug)]
pub(super) struct Side {
    /// Name in the table's head.
    pub(super) label: &'static str,
    /// Arguments for cargo that build it.
    pub(super) build: &'static [&'static str],
    pub(super) command: &'static [&'static str],
    pub(super) timing: Timing,
    /// A path that is removed before each run.
    pub(super) fresh: Option<&'static str>,
    pub(super) environment: &'static [(&'static str, &'static str)],
}

/// Two programs that do the same, or one alone.
#[derive(Debug)]
pub(super) struct Pair {
    /// Name on the command line and in the marks of `BENCHMARKS.md`.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What is measured, and the aim.
    pub(super) note: &'static str,
    pub(super) input: Input,
    /// Lists of Python packages.
    pub(super) requirements: &'static [&'static str],
    pub(super) ours: Side,
    pub(super) peer: Option<Side>,
    /// Turns; a side that prints medians repeats within each.
    pub(super) n_rounds: usize,
    /// A turn that does not count comes first.
    pub(super) warm_up: bool,
    /// Left out unless named.
    pub(super) only_by_name: bool,
    /// The median and the worst ratio are given below the table, over all benches but this one.
    pub(super) spread_without: Option<&'static str>,
}

const PEERS: &[&str] = &["requirements.txt"];

/// Two threads for every library, and an allocator that keeps its pages: without it PyTorch's LSTM takes up to
/// four times as long.
const TWO_THREADS: &[(&str, &str)] = &[
    ("OMP_NUM_THREADS", "2"),
    ("MKL_NUM_THREADS", "2"),
    ("OPENBLAS_NUM_THREADS", "2"),
    ("RAYON_NUM_THREADS", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "1073741824"),
    ("MALLOC_TRIM_THRESHOLD_", "4294967296"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
];

const BINARY: &[&str] = &["--package", "candlecast"];

const fn side(label: &'static str, command: &'static [&'static str]) -> Side {
    Side { label, build: &[], command, timing: Timing::Printed, fresh: None, environment: TWO_THREADS }
}

const fn example(build: &'static [&'static str], command: &'static [&'static str]) -> Side {
    Side { build, ..side("candlecast", command) }
}

/// All pairs.
pub(super) static PAIRS: [Pair; 10] = [
    Pair {
        name: "version",
        title: "Start-up: `candlecast --version`",
        note: "Whole process. Aim: under 50 ms.",
        input: Input::Nothing,
        requirements: &[],
        ours: Side { timing: Timing::Whole, ..example(BINARY, &["{dist}/candlecast", "--version"]) },
        peer: None,
        n_rounds: 20,
        warm_up: true,
        only_by_name: false,
        spread_without: None,
    },
    Pair {
        name: "load-lake",
        title: "Loading a year of one-minute candles from the lake",
        note: "525,600 candles, both sides read the same files into arrays, in process, page cache warm. \
               Aim: no slower than the faster of pandas and PyArrow.",
        input: Input::YearLake,
        requirements: PEERS,
        ours: example(
            &["--package", "candlecast-store", "--example", "load_lake"],
            &["{dist}/examples/load_lake", "{lake}"],
        ),
        peer: Some(side("pandas, PyArrow", &["{python}", "bench-peers/load_lake.py", "{lake}"])),
        n_rounds: 5,
        warm_up: true,
        only_by_name: false,
        spread_without: None,
    },
    Pair {
        name: "import-csv",
        title: "Importing a gzipped CSV of a year of one-minute candles",
        note: "525,600 rows of 9 columns. Ours is the whole process with checks, quality report and durable writes; \
               pandas is timed in process, without its start, reading and writing Parquet. Aim: at least 3x faster.",
        input: Input::YearCsv,
        requirements: PEERS,
        ours: Side {
            timing: Timing::Whole,
            fresh: Some("{scratch}/store"),
            ..example(BINARY, &["{dist}/candlecast", "--data-dir", "{scratch}/store", "--quiet", "import", "{csv}"])
        },
        peer: Some(side("pandas", &["{python}", "bench-peers/import_csv.py", "{csv}", "{scratch}/pandas.parquet"])),
        n_rounds: 5,
        warm_up: true,
        only_by_name: false,
        spread_without: None,
    },
    Pair {
        name: "features",
        title: "Features over one million candles",
        note: "Each TA-Lib function alone on one thread, and the default set of 45 columns, in process, on the same \
               generated candles; the peer compares every output with ours first. Aims: median function no slower \
               than TA-Lib from Python, none above 1.5x its time (ratio 0.67x), the default set at least 2x faster.",
        input: Input::Nothing,
        requirements: PEERS,
        ours: example(
            &["--package", "candlecast-features", "--example", "bench_features"],
            &["{dist}/examples/bench_features", "{scratch}"],
        ),
        peer: Some(side("TA-Lib, NumPy", &["{python}", "bench-peers/features.py", "{scratch}"])),
        n_rounds: 3,
        warm_up: false,
        only_by_name: false,
        spread_without: Some("default-set"),
    },
    Pair {
        name: "nn-step",
        title: "Networks: training steps, single inferences and a whole fit",
        note: "f32, Adam, 2 threads; PyTorch at its best of eager, fused Adam, without oneDNN, and compiled, bf16 \
               beside. Names give cell, inputs, hidden sizes, steps and batch. Aims: small LSTM 10x, middle 4x, deep \
               LSTM 1.3x, deep GRU 2.5x, single inference of the small LSTM 30x; the fit (100 epochs of the fast LSTM \
               over 8,760 hourly windows) in less than 5 s.",
        input: Input::Nothing,
        requirements: &["requirements-nn.txt"],
        ours: example(&["--package", "candlecast-nn", "--example", "bench_step"], &["{dist}/examples/bench_step"]),
        peer: Some(side("PyTorch", &["{python}", "bench-peers/nn_step.py"])),
        n_rounds: 2,
        warm_up: false,
        only_by_name: false,
        spread_without: None,
    },
    Pair {
        name: "trees",
        title: "Trees: boosting and forest fits",
        note: "The same generated samples and settings, 2 threads; errors on the last fifth of the rows. Names give \
               rows and features. Aim: at least as fast at RMSE and AUC within 1 %.",
        input: Input::Nothing,
        requirements: PEERS,
        ours: example(
            &["--package", "candlecast-models", "--example", "bench_trees"],
            &["{dist}/examples/bench_trees", "{scratch}"],
        ),
        peer: Some(side("xgboost, scikit-learn", &["{python}", "bench-peers/trees.py", "{scratch}"])),
        n_rounds: 3,
        warm_up: false,
        only_by_name: false,
        spread_without: None,
    },
    Pair {
        name: "tune",
        title: "Searches over cheap functions",
        note: "A whole search of 100 trials on one thread, 30 seeds; `best` is the median of the best values, `p_random` \
               that of the hypothesis that the search is no better than draws at random (Mann and Whitney). Both sides \
               use the same algorithm: TPE over parameters that exist together. Aim: no worse a median than Optuna's.",
        input: Input::Nothing,
        requirements: &["requirements-tune.txt"],
        ours: example(&["--package", "candlecast-tune", "--example", "bench_tune"], &["{dist}/examples/bench_tune"]),
        peer: Some(side("Optuna", &["{python}", "bench-peers/tune.py"])),
        n_rounds: 1,
        warm_up: false,
        only_by_name: false,
        spread_without: None,
    },
    Pair {
        name: "jobs",
        title: "Jobs and records in SQLite",
        note: "Each job is queued and leased by calls of its own. A training that is on record as a job stands beside \
               the same one without, in turn. Pages hold 100 items; the first 50 of each list are read one after the \
               other. Aims: 1,000 jobs queued and leased a second; progress below 1 % of a training; a page in under \
               50 ms.",
        input: Input::Nothing,
        requirements: &[],
        ours: example(&["--package", "candlecast-app", "--example", "bench_jobs"], &["{dist}/examples/bench_jobs"]),
        peer: None,
        n_rounds: 1,
        warm_up: false,
        only_by_name: false,
        spread_without: None,
    },
    Pair {
        name: "replay",
        title: "Replay of a month of one-minute candles",
        note: "43,200 generated candles, the linear model on the default set of 45 features, forecasts of 1 and of 15 \
               steps. First the model alone: features, forecast, interval and outcome of every candle. Then whole \
               replays from a CSV file: candles stored, forecasts logged and validated in SQLite, of all steps, of one, \
               or not at all. Aim: 20,000 candles/s through features, one model and validation.",
        input: Input::Nothing,
        requirements: &[],
        ours: example(&["--package", "candlecast-app", "--example", "bench_replay"], &["{dist}/examples/bench_replay"]),
        peer: None,
        n_rounds: 1,
        warm_up: false,
        only_by_name: false,
        spread_without: None,
    },
    Pair {
        name: "cold-build",
        title: "Cold release build",
        note: "Sources downloaded, nothing compiled; the profile `release`, as those who install the program build it. \
               Aim: under ten minutes on two cores.",
        input: Input::Nothing,
        requirements: &[],
        ours: Side {
            timing: Timing::Whole,
            fresh: Some("{scratch}/cold"),
            environment: &[],
            ..example(
                &[],
                &["{cargo}", "build", "--release", "--package", "candlecast", "--target-dir", "{scratch}/cold"],
            )
        },
        peer: None,
        n_rounds: 1,
        warm_up: false,
        only_by_name: true,
        spread_without: None,
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sh;

    #[test]
    fn names_are_unique_and_peers_scripts_exist_beside_their_requirements() {
        let names: BTreeSet<&str> = PAIRS.iter().map(|pair| pair.name).collect();
        assert_eq!(names.len(), PAIRS.len());
        for pair in &PAIRS {
            let script = pair.peer.as_ref().and_then(|peer| peer.command.get(1));
            assert_eq!(script.is_some(), !pair.requirements.is_empty(), "{}", pair.name);
            for list in pair.requirements {
                assert!(sh::root().join("bench-peers").join(list).is_file(), "{list}");
            }
            if let Some(script) = script.filter(|script| script.starts_with("bench-peers/")) {
                assert!(sh::root().join(script).is_file(), "{script}");
            }
        }
    }
}
