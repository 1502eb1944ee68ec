//! What `--plot` draws: names, times and titles are text in an SVG.

use crate::program::{Program, SERIES, SHORT, line};

/// Half an hour after the last candle closed.
const NOW: &[&str] = &["--now", "2024-03-24T10:30:00Z"];
const RANGE: &[&str] = &["--from", "2024-03-10", "--to", "2024-03-20"];

/// The picture that `command` draws.
fn drawn(program: &Program, command: &[&str]) -> String {
    let run = program.run(&line(&[command, &["--plot", "drawn.svg"]]));
    assert!(run.code == Some(0) && run.stderr.contains("plot: drawn.svg"), "{run:?}");
    std::fs::read_to_string(program.folder().join("drawn.svg")).unwrap()
}

fn assert_says(picture: &str, words: &[&str]) {
    for words in words {
        assert!(picture.contains(words), "no `{words}` in {picture}");
    }
}

#[test]
fn a_forecast_is_drawn_over_time_beside_the_naive_one() {
    let program = Program::with_candles();
    program.json(&line(&[&["train", "--model", "linear"], SERIES, SHORT, NOW]));
    let predict = line(&[&["predict", "--model", "linear", "--no-log"], SERIES, NOW]);
    let plain = drawn(&program, &predict);
    let fan = drawn(&program, &line(&[&predict, &["--quantiles", "0.05,0.5,0.95"]]));
    for picture in [&plain, &fan] {
        assert_says(picture, &["2024-03-22", "naive (the last price)", "close of the candle, UTC", "90 % interval"]);
    }
    assert_says(&fan, &["5 % to 95 %", "50 % quantile"]);
    assert!(!plain.contains("5 % to 95 %"));
}

#[test]
fn a_comparison_of_prices_shows_intervals_distributions_and_what_came_true_when() {
    let program = Program::with_candles();
    let picture = drawn(&program, &line(&[&["compare", "--models", "linear"], SERIES, SHORT, RANGE]));
    assert_says(&picture, &["mean absolute error by step", "coverage of the 90 % interval", "mean width", "factor"]);
    assert_says(&picture, &["place of outcomes in the distribution", "naive (the price at the origin)"]);
    assert_says(&picture, &["close of the target candle, UTC", "2024-03-12", "linear forecast"]);
}

#[test]
fn a_comparison_of_volatilities_lies_on_an_axis_of_time() {
    let program = Program::with_candles();
    let compare: &[&str] = &["compare", "--models", "linear", "--task", "volatility"];
    let picture = drawn(&program, &line(&[compare, SERIES, SHORT, RANGE]));
    assert_says(&picture, &["volatility forecast over 6 steps", "2024-03-12", "log-har", "90 % interval"]);
}

#[test]
fn a_training_shows_its_test_part_by_step() {
    let program = Program::with_candles();
    let picture = drawn(&program, &line(&[&["train", "--model", "linear"], SERIES, SHORT, NOW]));
    assert_says(&picture, &["BTCUSDT_LINEAR_1.0.0", "mean width", "place of outcomes", "factor"]);
    assert!(!picture.contains("linear forecast"), "forecasts are not set beside what came true");
}
