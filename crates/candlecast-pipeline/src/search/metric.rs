//! What a search can go by: a figure of a report, and which values of it are better.

use candlecast_core::{Problem, catalog::nearest};
use candlecast_learn::Task;
use candlecast_tune::Goal;

use crate::doc::loss_key;

/// A figure that trials are compared by.
#[derive(Debug, PartialEq, Eq)]
pub struct SearchMetric {
    /// Its name, in requests and in the metrics of reports.
    pub id: &'static str,
    /// Which values are better.
    pub goal: Goal,
    /// Tasks that have it.
    tasks: &'static [&'static str],
}

const PRICE: &[&str] = &["price"];
const DIRECTION: &[&str] = &["direction"];
const VOLATILITY: &[&str] = &["volatility"];

const fn least(id: &'static str, tasks: &'static [&'static str]) -> SearchMetric {
    SearchMetric { id, goal: Goal::Minimize, tasks }
}

const fn most(id: &'static str, tasks: &'static [&'static str]) -> SearchMetric {
    SearchMetric { id, goal: Goal::Maximize, tasks }
}

/// All of them.
static METRICS: &[SearchMetric] = &[
    least("mae", &["price", "volatility"]),
    least("rmse", &["price", "volatility"]),
    least("mse", PRICE),
    least("mape", PRICE),
    least("smape", PRICE),
    most("r2", &["price", "volatility"]),
    most("r2Price", PRICE),
    most("directionalAccuracy", PRICE),
    most("informationCoefficient", PRICE),
    least("crps", PRICE),
    least("intervalScore", PRICE),
    least("mase", PRICE),
    most("skillScaled", PRICE),
    most("skill", &["price", "direction", "volatility"]),
    least("logLoss", DIRECTION),
    least("brier", DIRECTION),
    most("accuracy", DIRECTION),
    most("balancedAccuracy", DIRECTION),
    most("macroF1", DIRECTION),
    most("mcc", DIRECTION),
    least("qlike", VOLATILITY),
];

/// Other names of metrics, in small letters without signs.
const ALIASES: [(&str, &str); 4] =
    [("direction", "directionalAccuracy"), ("f1", "macroF1"), ("r2score", "r2"), ("ic", "informationCoefficient")];

/// Words for the figure of simulated trades, which forecasts do not have.
const OF_TRADES: [&str; 2] = ["sharpe", "sharperatio"];

/// The metric called `name` for `task`: capitals, `-` and `_` make no difference.
pub fn search_metric(name: &str, task: &Task) -> Result<&'static SearchMetric, Problem> {
    let bare = bare(name);
    let refused = |why: String| Problem::usage("bad-value", "metric", why);
    if OF_TRADES.contains(&bare.as_str()) {
        return Err(refused(
            "metric sharpe is one of simulated trades, and a search over models simulates none: choose by forecasts, \
             for example --metric mae"
                .into(),
        ));
    }
    let name = ALIASES.iter().find(|(alias, _)| *alias == bare).map_or(name, |(_, id)| *id);
    let of_task = || METRICS.iter().filter(|metric| metric.tasks.contains(&task.id()));
    let found = of_task().find(|metric| metric.id.eq_ignore_ascii_case(&self::bare(name)));
    found.ok_or_else(|| {
        let ids: Vec<&str> = of_task().map(|metric| metric.id).collect();
        let hint = nearest(name, &ids).map_or_else(String::new, |near| format!(" did you mean `{near}`?"));
        refused(format!("metric `{name}` is none of the {} task:{hint} there are {}", task.id(), ids.join(", ")))
    })
}

/// What trials of `task` are compared by where nobody says: the figure that models are ranked by.
pub fn default_search_metric(task: &Task) -> &'static str {
    loss_key(task.id())
}

fn bare(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use candlecast_learn::Labels;

    use super::*;

    const PRICES: Task = Task::Price { horizon: 3 };

    #[test]
    fn metrics_are_found_by_any_spelling_and_others_refused() {
        let id = |name| search_metric(name, &PRICES).map(|metric| (metric.id, metric.goal)).map_err(|e| e.detail);
        assert_eq!(id("mae"), Ok(("mae", Goal::Minimize)));
        assert_eq!(id("Direction"), Ok(("directionalAccuracy", Goal::Maximize)));
        assert_eq!(id("directional-accuracy"), Ok(("directionalAccuracy", Goal::Maximize)));
        assert_eq!(id("r2_score"), Ok(("r2", Goal::Maximize)));
        assert!(id("sharpe").unwrap_err().contains("simulated trades"));
        assert!(id("Sharpe-Ratio").unwrap_err().contains("simulated trades"));
        assert!(id("maee").unwrap_err().contains("did you mean `mae`"));
        assert!(id("qlike").unwrap_err().contains("none of the price task"));
    }

    #[test]
    fn every_task_has_its_default() {
        let labels = Labels::Adaptive { low: 0.25, high: 0.75 };
        for task in [PRICES, Task::Direction { horizon: 3, labels }, Task::Volatility { horizon: 3 }] {
            let metric = search_metric(default_search_metric(&task), &task).unwrap();
            assert_eq!(metric.goal, Goal::Minimize);
        }
    }
}
