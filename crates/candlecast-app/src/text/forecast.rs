//! Forecasts for people.

use candlecast_core::{DirectionOutlook, Forecast, ForecastStep, Move, Outlook, VolatilityOutlook};

use crate::predict::Predicted;
use crate::text::{count, day, percent, price, synthetic, table};

/// A forecast as a table.
pub fn forecast(p: &Predicted) -> String {
    let f = &p.forecast;
    let mut text = format!(
        "{} {} by {} {}, origin {} at {}{}\n",
        f.key.symbol,
        f.key.interval,
        p.manifest.model_type.to_ascii_lowercase(),
        p.manifest.version,
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
    if let Some((name, confidence)) = &p.regime {
        text.push_str(&format!("\nregime: {name} ({:.0} %)", 100.0 * confidence));
    }
    for line in p.warnings() {
        text.push_str(&format!("\nwarning: {line}"));
    }
    text
}

fn prices(f: &Forecast, steps: &[ForecastStep]) -> String {
    let level = format!("{:.0} % interval", 100.0 * f.level);
    let mut t = table(&["step", "time", "price", "change", "direction", &level, "confidence"], [0, 2, 3, 6]);
    for s in steps {
        t.add_row([
            s.step.to_string(),
            day(s.target_time),
            price(Some(s.price)),
            format!("{:+.2} %", 100.0 * (s.price / f.origin_price - 1.0)),
            s.direction.to_string(),
            format!("{} .. {}", price(Some(s.lower)), price(Some(s.upper))),
            confidence(s),
        ]);
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
    let level = format!("{:.0} % interval", 100.0 * f.level);
    let mut t = table(&["step", "time", "volatility", &level], [0, 2]);
    let percent = |value: f64| format!("{:.3} %", 100.0 * value);
    t.add_row([
        v.step.to_string(),
        day(v.target_time),
        percent(v.volatility),
        format!("{} .. {}", percent(v.lower), percent(v.upper)),
    ]);
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
    let mut text = format!(
        "{} {} {}: {}{}",
        f.key,
        p.manifest.model_type.to_ascii_lowercase(),
        p.manifest.version,
        outlook_line(f),
        synthetic(f.key.venue.is_synthetic()),
    );
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
                "{} -> {} ({:+.2} %) in {}, {}, {:.0} % within {} .. {}, confidence {:.2}",
                price(Some(f.origin_price)),
                price(Some(last.price)),
                100.0 * (last.price / f.origin_price - 1.0),
                count(last.step, "step"),
                last.direction,
                100.0 * f.level,
                price(Some(last.lower)),
                price(Some(last.upper)),
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
            "volatility {:.3} % over {}, {:.0} % within {:.3} .. {:.3} %",
            100.0 * v.volatility,
            count(v.step, "step"),
            100.0 * f.level,
            100.0 * v.lower,
            100.0 * v.upper,
        ),
    }
}
