//! `forecasts`: prices by one model, 24 candles ahead at once, and 1 and 4 ahead alone.

use std::time::Instant;

use crate::figures::{Measured, by_step, overall, pooled, quarters};
use crate::settings::Settings;
use crate::table::Table;
use crate::{Result, candles, walk};

/// Steps that are told one by one.
pub(crate) const STEPS: [usize; 3] = [1, 4, 24];
/// Steps ahead: the main run, then those that are asked for alone.
const HORIZONS: [usize; 3] = [24, 1, 4];

pub(crate) fn run(settings: &Settings) -> Result<()> {
    // By horizon, by coin.
    let mut runs = HORIZONS.map(|_| Vec::new());
    for symbol in &settings.coins {
        let series = candles::series(settings, symbol)?;
        let market = walk::market(&series, &settings.options(1));
        for (of_horizon, horizon) in runs.iter_mut().zip(HORIZONS) {
            let began = Instant::now();
            let options = settings.options(horizon);
            let report = walk::compared(&market, &[walk::request(&settings.model)], &options, settings.range)?;
            let seconds = began.elapsed().as_secs_f64();
            let measured = Measured::of(symbol, &market, &report, &STEPS, seconds)?;
            eprintln!("{symbol}, {horizon} ahead: {seconds:.1} s");
            of_horizon.push(measured);
        }
    }
    print(settings, &runs);
    Ok(())
}

fn print(settings: &Settings, runs: &[Vec<Measured>; HORIZONS.len()]) {
    let [main, first, fourth] = runs;
    let coins: Vec<&Measured> = main.iter().collect();
    println!("{}, {} candles ahead:\n\n{}\n", settings.model, HORIZONS[0], by_step(&coins));
    println!("All coins:\n\n{}\n", pooled(&coins));
    println!("Direction of the next candle:\n\n{}\n", quarters(&coins, 1));
    let alone: Vec<&Measured> = first.iter().chain(fourth).collect();
    println!("Asked for 1 and for 4 candles ahead alone:\n\n{}\n", overall(&alone));
    for of_horizon in [first, fourth] {
        let better = of_horizon.iter().filter(|run| run.all.is_better()).count();
        let horizon = of_horizon.first().map_or(0, |run| run.horizon);
        println!("Better than naive {horizon} ahead: {better} of {} coins.", of_horizon.len());
    }
    println!("\n{}", times(runs));
}

fn times(runs: &[Vec<Measured>]) -> Table {
    let mut table = Table::new(&["coin", "horizon", "origins", "fits, s", "all of it, s"]);
    for run in runs.iter().flatten() {
        table.row(&[
            run.symbol.clone(),
            run.horizon.to_string(),
            run.origins.to_string(),
            format!("{:.1}", run.fit_seconds),
            format!("{:.1}", run.seconds),
        ]);
    }
    table
}
