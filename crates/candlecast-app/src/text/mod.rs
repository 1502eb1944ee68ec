//! Documents as text for people, in Markdown tables that can be pasted as they are. Every model stands beside the
//! baselines.

mod backtest;
mod cells;
mod cross;
mod ensemble;
mod forecast;
mod luck;
mod model;
mod report;
mod search;

pub use backtest::{backtests, rerun};
pub use cells::{count, day, fixed, hit_rate, interval, percent, plain, price, share, signed, span, synthetic, table};
pub use ensemble::{members_line, weights_lines};
pub use forecast::{forecast, forecast_line};
pub use model::{model, models, models_elsewhere, pool_line, serving_history, tries_line};
pub use report::{evaluation, report, trained};
pub use search::{importances, search, search_of, searches};
