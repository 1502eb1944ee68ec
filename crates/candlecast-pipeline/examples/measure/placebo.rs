//! `placebo`: real candles of which the sign of every hour's move is drawn anew, for all coins together. Volatility,
//! volumes and how coins move together stay; of directions nothing is left to be found.

use candlecast_core::Seed;
use candlecast_learn::significance::VERDICT_LEVEL;

use crate::figures::{Figures, Measured};
use crate::settings::Settings;
use crate::statistics::{deviation, mean};
use crate::table::{Table, percent, signed};
use crate::{Result, candles, walk};

const HORIZON: usize = 1;
/// Farthest that the mean direction may be from one half.
const TOLERANCE: f64 = 0.003;
const HOUR_MS: i64 = 3_600_000;

pub(crate) fn run(settings: &Settings) -> Result<()> {
    let real = settings.coins.iter().map(|symbol| candles::series(settings, symbol)).collect::<Result<Vec<_>>>()?;
    let options = settings.options(HORIZON);
    // By draw, by coin.
    let mut draws: Vec<Vec<Figures>> = Vec::new();
    for draw in 0..settings.seeds {
        let mut coins = Vec::new();
        for (symbol, series) in settings.coins.iter().zip(&real) {
            let market = walk::market(&candles::mirrored(series, |time| is_mirrored(draw, time))?, &options);
            let report = walk::compared(&market, &[walk::request(&settings.model)], &options, settings.range)?;
            coins.push(Measured::of(symbol, &market, &report, &[HORIZON], 0.0)?.all);
        }
        eprintln!("draw {} of {}: direction {}", draw + 1, settings.seeds, percent(mean(&directions(&coins)), 2));
        draws.push(coins);
    }
    print(settings, &draws);
    Ok(())
}

/// One sign an hour, the same for all coins.
fn is_mirrored(draw: u64, open_time: i64) -> bool {
    let hour = open_time.div_euclid(HOUR_MS) as u64;
    Seed(draw).derive("placebo", hour).0 >> 63 == 1
}

fn directions(coins: &[Figures]) -> Vec<f64> {
    coins.iter().filter_map(Figures::direction).collect()
}

fn skills(coins: &[Figures]) -> Vec<f64> {
    coins.iter().filter_map(Figures::price_skill).collect()
}

fn better(coins: &[Figures]) -> usize {
    coins.iter().filter(|figures| figures.is_better()).count()
}

fn print(settings: &Settings, draws: &[Vec<Figures>]) {
    let mut table = Table::new(&["draw", "direction", "price skill", "worst coin", "better than naive"]);
    for (draw, coins) in draws.iter().enumerate() {
        let skills = skills(coins);
        table.row(&[
            (draw + 1).to_string(),
            percent(mean(&directions(coins)), 2),
            signed(mean(&skills), 3),
            signed(skills.into_iter().reduce(f64::min), 3),
            format!("{} of {}", better(coins), coins.len()),
        ]);
    }
    let by_draw: Vec<f64> = draws.iter().filter_map(|coins| mean(&directions(coins))).collect();
    let (direction, sd) = (mean(&by_draw), deviation(&by_draw));
    let all: Vec<Figures> = draws.iter().flatten().cloned().collect();
    let (n_better, n) = (better(&all), all.len().max(1));
    println!("{}, {HORIZON} candle ahead, means over the coins:\n\n{table}\n", settings.model);
    println!("Direction: {} over all draws, standard deviation of a draw {}.", percent(direction, 3), percent(sd, 3));
    let worst = skills(&all).into_iter().reduce(f64::min);
    println!("Price skill: {} in the mean, {} at worst.", signed(mean(&skills(&all)), 4), signed(worst, 4));
    let share = n_better as f64 / n as f64;
    println!(
        "Called better than naive: {n_better} of {n} ({}), at the level of {}.",
        percent(Some(share), 1),
        percent(Some(VERDICT_LEVEL), 0)
    );
    let held = direction.is_some_and(|direction| (direction - 0.5).abs() <= TOLERANCE);
    let verdict = if held { "held" } else { "missed" };
    println!(
        "required: a mean direction within {} of 50 %: {}: {verdict}",
        percent(Some(TOLERANCE), 1),
        percent(direction, 3)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_fair_depend_on_draw_and_hour_alone_and_not_on_each_other() {
        let signs = |draw| -> Vec<bool> { (0..20_000).map(|hour| is_mirrored(draw, hour * HOUR_MS)).collect() };
        let share = |hits: usize| hits as f64 / 20_000.0;
        let (a, b) = (signs(0), signs(1));
        assert!(is_mirrored(3, 5 * HOUR_MS) == is_mirrored(3, 5 * HOUR_MS + 1));
        for signs in [&a, &b] {
            assert!((share(signs.iter().filter(|sign| **sign).count()) - 0.5).abs() < 0.015);
            let repeats = signs.windows(2).filter(|pair| pair[0] == pair[1]).count();
            assert!((share(repeats) - 0.5).abs() < 0.015, "{repeats}");
        }
        let alike = a.iter().zip(&b).filter(|(a, b)| a == b).count();
        assert!((share(alike) - 0.5).abs() < 0.015, "{alike}");
    }
}
