//! Features over a million generated candles, one JSON line each: `bench`, `variant`, `median_ms`, `runs`. Every
//! function that TA-Lib has, alone through the engine on one thread; then the default set on two threads and on one.
//!
//! usage: `bench_features FOLDER [RUNS]`
//!
//! For the peer, `bench-peers/features.py`, FOLDER gets the candles (`candles.f64`: little-endian f64, one column
//! after the other), the leading values of every output (`head.f64`, likewise), and `features.json` that names the
//! columns of both. So the peer works on the same candles and can prove that it computes the same.
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

#[path = "../benches/million/mod.rs"]
mod million;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use candlecast_core::{FeatureSet, FeatureTable, FilledSeries};
use candlecast_features::Engine;
use serde_json::json;

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Leading rows that the peer compares.
const HEAD: usize = 20_000;
const RUNS: usize = 7;
const THREADS: [usize; 2] = [2, 1];

/// Ids of the features that are TA-Lib functions and no more; `bop` is computed by a formula of our own.
const FUNCTIONS: [&str; 42] = [
    "mom_10",
    "roc_10",
    "sma_20",
    "ema_20",
    "wma_20",
    "dema_20",
    "tema_20",
    "hma_20",
    "kama_10",
    "rsi_14",
    "macd_12_26_9",
    "stoch_14_3_3",
    "stoch_rsi_14_14_3",
    "willr_14",
    "cci_20",
    "trix_15",
    "ultosc_7_14_28",
    "ao_5_34",
    "mfi_14",
    "cmo_14",
    "ppo_12_26",
    "bop",
    "adx_14",
    "plus_di_14",
    "minus_di_14",
    "aroon_25",
    "aroon_osc_25",
    "sar_2_20",
    "supertrend_10_3",
    "linreg_slope_20",
    "vortex_14",
    "er_10",
    "atr_14",
    "natr_14",
    "bb_20_2",
    "keltner_20_10_2",
    "donchian_20",
    "obv",
    "ad",
    "adosc_3_10",
    "cmf_20",
    "force_index_13",
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = PathBuf::from(arguments.first().ok_or("usage: bench_features FOLDER [RUNS]")?);
    let runs = arguments.get(1).map_or(Ok(RUNS), |runs| runs.parse())?.max(1);
    let series = million::million();
    let mut head = BTreeMap::new();
    let mut functions = serde_json::Map::new();
    let alone = pool(1)?;
    for id in FUNCTIONS {
        let engine = Engine::new(&FeatureSet::of(&[id]))?;
        report(id, "", alone.install(|| median_ms(runs, &engine, &series)), runs);
        keep_head(&mut head, alone.install(|| engine.compute(&series)));
        functions.insert(id.to_owned(), json!(engine.outputs()));
    }
    let engine = Engine::new(&FeatureSet::of(&["default"]))?;
    for threads in THREADS {
        let pool = pool(threads)?;
        let variant = format!("{threads} thread{}", if threads == 1 { "" } else { "s" });
        report("default-set", &variant, pool.install(|| median_ms(runs, &engine, &series)), runs);
    }
    keep_head(&mut head, engine.compute(&series));
    write_all(&folder, &series, &head, &json!({ "functions": functions, "default": engine.outputs() }))?;
    Ok(())
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build()
}

/// The values are dropped within the time, as the peer's are.
fn median_ms(runs: usize, engine: &Engine, series: &FilledSeries) -> f64 {
    let work = || drop(black_box(engine.compute(black_box(series))));
    work();
    let time = || {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e3
    };
    let mut times: Vec<f64> = (0..runs).map(|_| time()).collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}

fn report(bench: &str, variant: &str, median_ms: f64, runs: usize) {
    println!("{}", json!({ "bench": bench, "variant": variant, "median_ms": median_ms, "runs": runs }));
}

/// Leading rows of every output, by its id.
fn keep_head(head: &mut BTreeMap<String, Vec<f64>>, table: FeatureTable) {
    for (name, mut column) in table.names.into_iter().zip(table.columns) {
        column.truncate(HEAD);
        column.shrink_to_fit();
        head.insert(name, column);
    }
}

fn write_all(
    folder: &Path,
    series: &FilledSeries,
    head: &BTreeMap<String, Vec<f64>>,
    names: &serde_json::Value,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let c = series.columns();
    // Milliseconds since 1970 are whole numbers far below 2^53: exact as f64.
    let open_time: Vec<f64> = c.open_time.iter().map(|&ms| ms as f64).collect();
    let candles = [
        ("open_time", &open_time),
        ("open", &c.open),
        ("high", &c.high),
        ("low", &c.low),
        ("close", &c.close),
        ("volume", &c.volume),
    ];
    write_columns(&folder.join("candles.f64"), candles.iter().map(|(_, column)| column.as_slice()))?;
    write_columns(&folder.join("head.f64"), head.values().map(Vec::as_slice))?;
    let document = json!({
        "rows": series.len(),
        "intervalMs": series.key().interval.ms(),
        "candles": candles.map(|(name, _)| name),
        "headRows": HEAD,
        "head": head.keys().collect::<Vec<_>>(),
        "names": names,
    });
    fs::write(folder.join("features.json"), document.to_string())
}

fn write_columns<'a>(path: &Path, columns: impl Iterator<Item = &'a [f64]>) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    for value in columns.flatten() {
        out.write_all(&value.to_le_bytes())?;
    }
    out.flush()
}
