//! Forecasts for people.

use candlecast_core::{DirectionOutlook, Forecast, ForecastStep, Move, Outlook, VolatilityOutlook};

use crate::predict::Predicted;
use crate::text::{count, day, members_line, percent, price, share, synthetic, table};

/// A forecast as a table.
pub fn forecast(p: &Predicted) -> String {
    let f = &p.forecast;
    let mut text = format!(
        "{} {} by {}, origin {} at {}{}\n",
        f.key.symbol,
        f.key.interval,
        p.label(),
        day(f.origin),
        price(Some(f.origin_price)),
        synthetic(f.key.venue.is_synthetic()),
    );
    text.push_str(&match &f.outlook {
        Outlook::Price(steps) => prices(f, steps),
        Outlook::Direction(direction) => classes(direction),
        Outlook::Volatility(volatility) => volatilities(f, volatility),
    });
    if let Some(line) = action_line(p) {
        text.push_str(&format!("\n{line}"));
    }
    if let Some(ensemble) = &p.ensemble {
        text.push_str(&format!("\n{}", members_line(ensemble)));
    }
    if let Some((name, confidence)) = &p.regime {
        text.push_str(&format!("\nregime: {name} ({:.0} %)", 100.0 * confidence));
    }
    for line in p.warnings() {
        text.push_str(&format!("\nwarning: {line}"));
    }
    text
}

/// Names of the columns of quantiles.
fn quantile_names(f: &Forecast) -> Vec<String> {
    f.quantiles.iter().flat_map(|q| &q.shares).map(|&s| share(s)).collect()
}

fn prices(f: &Forecast, steps: &[ForecastStep]) -> String {
    let (level, names) = (format!("{} interval", share(f.level)), quantile_names(f));
    let mut header = vec!["step", "time", "price", "change", "direction", level.as_str(), "confidence"];
    header.extend(names.iter().map(String::as_str));
    let quantiles = 7..header.len();
    let mut t = table(&header, [0, 2, 3, 6].into_iter().chain(quantiles));
    for (k, s) in steps.iter().enumerate() {
        let mut row = vec![
            s.step.to_string(),
            day(s.target_time),
            price(Some(s.price)),
            format!("{:+.2} %", 100.0 * (s.price / f.origin_price - 1.0)),
            s.direction.to_string(),
            format!("{} .. {}", price(Some(s.lower)), price(Some(s.upper))),
            confidence(s),
        ];
        row.extend(f.quantiles_of(k).into_iter().map(|(_, value)| price(Some(value))));
        t.add_row(row);
    }
    t.to_string()
}

fn classes(d: &DirectionOutlook) -> String {
    let header = ["step", "time", "action", "SELL", "HOLD", "BUY", "SELL at or below", "BUY at or above", "confidence"];
    let mut t = table(&header, [0, 3, 4, 5, 6, 7, 8]);
    let [sell, hold, buy] = d.probabilities.map(|p| format!("{:.1} %", 100.0 * p));
    t.add_row([
        d.step.to_string(),
        day(d.target_time),
        d.action.to_string(),
        sell,
        hold,
        buy,
        price(Some(d.sell_at)),
        price(Some(d.buy_at)),
        if d.calibrated { format!("{:.2}", d.confidence) } else { format!("{:.2}, uncalibrated", d.confidence) },
    ]);
    t.to_string()
}

fn volatilities(f: &Forecast, v: &VolatilityOutlook) -> String {
    let (level, names) = (format!("{} interval", share(f.level)), quantile_names(f));
    let mut header = vec!["step", "time", "volatility", level.as_str()];
    header.extend(names.iter().map(String::as_str));
    let quantiles = 4..header.len();
    let mut t = table(&header, [0, 2].into_iter().chain(quantiles));
    let percent = |value: f64| format!("{:.3} %", 100.0 * value);
    let mut row = vec![
        v.step.to_string(),
        day(v.target_time),
        percent(v.volatility),
        format!("{} .. {}", percent(v.lower), percent(v.upper)),
    ];
    row.extend(f.quantiles_of(0).into_iter().map(|(_, value)| percent(value)));
    t.add_row(row);
    format!("{t}\nvolatility: root of the sum of squared log returns over the horizon, not annualised")
}

/// The confidence, or why there is none.
fn confidence(s: &ForecastStep) -> String {
    match (s.calibrated, s.direction) {
        (true, _) => format!("{:.2}", s.confidence),
        (false, Move::None) => format!("{:.2}, no direction", s.confidence),
        (false, Move::Up | Move::Down) => format!("{:.2}, uncalibrated", s.confidence),
    }
}

/// What is to be done, from which confidence on, and how often that was reached; `None` of a volatility.
fn action_line(p: &Predicted) -> Option<String> {
    let action = p.action()?;
    let reached = p.pass_share().map_or_else(String::new, |share| {
        format!(", which {} of the forecasts scored at its training reach", percent(Some(share), 1))
    });
    Some(format!("action: {action} (HOLD below a confidence of {:.2}{reached})", p.confidence_threshold))
}

/// One line a model, for many at once.
pub fn forecast_line(p: &Predicted) -> String {
    let f = &p.forecast;
    let mut text = format!("{} {}: {}{}", f.key, p.label(), outlook_line(f), synthetic(f.key.venue.is_synthetic()));
    if let Some(action) = p.action() {
        text.push_str(&format!(": {action}"));
    }
    for line in p.warnings() {
        text.push_str(&format!("\n  warning: {line}"));
    }
    text
}

fn outlook_line(f: &Forecast) -> String {
    match &f.outlook {
        Outlook::Price(steps) => steps.last().map_or_else(String::new, |last| {
            format!(
                "{} -> {} ({:+.2} %) in {}, {}, {} within {} .. {}{}, confidence {:.2}",
                price(Some(f.origin_price)),
                price(Some(last.price)),
                100.0 * (last.price / f.origin_price - 1.0),
                count(last.step, "step"),
                last.direction,
                share(f.level),
                price(Some(last.lower)),
                price(Some(last.upper)),
                quantiles_line(f, steps.len() - 1, &|value| price(Some(value))),
                last.confidence,
            )
        }),
        Outlook::Direction(d) => format!(
            "{} in {} (SELL at or below {}, BUY at or above {}), confidence {:.2}",
            d.action,
            count(d.step, "step"),
            price(Some(d.sell_at)),
            price(Some(d.buy_at)),
            d.confidence,
        ),
        Outlook::Volatility(v) => format!(
            "volatility {:.3} % over {}, {} within {:.3} .. {:.3} %{}",
            100.0 * v.volatility,
            count(v.step, "step"),
            share(f.level),
            100.0 * v.lower,
            100.0 * v.upper,
            quantiles_line(f, 0, &|value| format!("{:.3} %", 100.0 * value)),
        ),
    }
}

/// The quantiles of a claim, such as `, 5 % at 99.1, 95 % at 101.3`; nothing where none were asked for.
fn quantiles_line(f: &Forecast, claim: usize, told: &dyn Fn(f64) -> String) -> String {
    let mut text = String::new();
    for (at, value) in f.quantiles_of(claim) {
        text.push_str(&format!(", {} at {}", share(at), told(value)));
    }
    text
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Move, Quantiles, Timestamp};

    use super::*;

    fn forecast(quantiles: Option<Quantiles>, level: f64) -> Forecast {
        let step = |step: usize| ForecastStep {
            step,
            target_time: Timestamp(3_600_000 * step as i64),
            price: 101.0,
            lower: 99.0,
            upper: 103.0,
            direction: Move::Up,
            factor: 1.0,
            confidence: 0.6,
            calibrated: true,
        };
        Forecast {
            key: "binance:BTCUSDT:1h".parse().unwrap(),
            origin: Timestamp(0),
            origin_price: 100.0,
            level,
            outlook: Outlook::Price(vec![step(1), step(2)]),
            quantiles,
        }
    }

    fn two() -> Quantiles {
        Quantiles { shares: vec![0.025, 0.5], values: vec![vec![98.5, 101.25], vec![97.5, 101.5]] }
    }

    #[test]
    fn quantiles_are_columns_after_the_others() {
        let f = forecast(Some(two()), 0.975);
        let text = prices(&f, f.steps());
        let header = text.lines().next().unwrap();
        assert!(header.contains("97.5 % interval"), "{text}");
        let names: Vec<&str> = header.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(names[6..], ["confidence", "2.5 %", "50 %"]);
        assert!(text.lines().last().unwrap().contains("97.5000 | 101.5000"), "{text}");
        let plain = forecast(None, 0.9);
        let text = prices(&plain, plain.steps());
        assert!(text.contains("90 % interval") && !text.contains("50 %"), "{text}");
    }

    #[test]
    fn a_line_tells_the_quantiles_of_the_last_step() {
        let line = outlook_line(&forecast(Some(two()), 0.8));
        assert!(line.contains("80 % within 99.0000 .. 103.0000, 2.5 % at 97.5000, 50 % at 101.5000, conf"), "{line}");
    }
}
