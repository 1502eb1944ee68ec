//! The ledger: every configuration ever tried on a period, and what each was worth day by day. The more was tried, the
//! less the best of it means, so nothing here can be deleted: the trait offers no way, and the database refuses it.

use async_trait::async_trait;
use candlecast_core::{SeriesKey, TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{MetaError, Page, PageRequest};

/// A configuration that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LedgerEntry {
    /// Identity, given by the caller, so that recording twice records once.
    pub id: String,
    /// How it came to be tried, such as `evaluate`, `search`, `compare`.
    pub kind: String,
    /// Series.
    pub series: SeriesKey,
    /// Such as `price`, `strategy`.
    pub task: String,
    /// Kebab-case id of the model or strategy.
    pub model_type: String,
    /// The configuration.
    pub config: Value,
    /// Its hash; equal ones are the same configuration.
    pub config_hash: String,
    /// Period it was scored on, not empty.
    pub period: TimeRange,
    /// Score, in the units of its kind.
    pub score: Option<f64>,
    /// Sharpe ratio per observation, where trades were simulated.
    pub sharpe: Option<f64>,
    /// Run it belongs to.
    pub run_id: Option<String>,
    /// When.
    pub tried_at: Timestamp,
}

/// What something was worth day by day, UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DailyValues {
    /// Day of the first value, in days since 1970.
    pub first_day: i64,
    /// One a day, finite; `None` on days without one. At least one and at most [`MAX_DAYS`](Self::MAX_DAYS).
    pub values: Vec<Option<f32>>,
}

impl DailyValues {
    /// Most days of a series, eleven years.
    pub const MAX_DAYS: usize = 4_096;
}

/// What a try was worth day by day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TryDays {
    /// [`LedgerEntry::id`] of the try.
    pub try_id: String,
    /// What the values are, such as the loss of a task over a horizon. Only those of the same measure are set side by
    /// side.
    pub measure: String,
    /// The values; more is better.
    pub days: DailyValues,
}

/// The days of a try on a period.
#[derive(Debug, Clone, PartialEq)]
pub struct TriedDays {
    /// Hash of the configuration that was tried.
    pub config_hash: String,
    /// What it was worth.
    pub days: DailyValues,
}

/// How much was tried on a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// Entries whose period overlaps.
    pub n_entries: u64,
    /// Different configurations among them.
    pub n_configurations: u64,
    /// Configurations with a Sharpe ratio.
    pub n_sharpes: u64,
    /// Variance of the configurations' mean Sharpe ratios, with divisor n - 1; `None` for fewer than two. The
    /// deflated Sharpe ratio needs it (Bailey and Lopez de Prado 2014).
    pub sharpe_variance: Option<f64>,
}

/// The record of what was tried.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Records what was tried, all or none; returns how many entries are new.
    async fn record_tries(&self, entries: &[LedgerEntry]) -> Result<u64, MetaError> {
        self.record_tries_with_days(entries, &[]).await
    }

    /// The same with what tries, these or earlier ones, were worth day by day. Days of a try that has some change
    /// nothing.
    async fn record_tries_with_days(&self, entries: &[LedgerEntry], days: &[TryDays]) -> Result<u64, MetaError>;

    /// Entries, newest first; of one series or of all.
    async fn ledger(&self, series: Option<&SeriesKey>, page: PageRequest) -> Result<Page<LedgerEntry>, MetaError>;

    /// How much was tried on a series over periods that overlap `period`, optionally for one task.
    async fn tried(&self, series: &SeriesKey, period: TimeRange, task: Option<&str>) -> Result<Tried, MetaError>;

    /// Hashes of the different configurations that were tried for `task` on a series over periods that overlap
    /// `period`, in their order.
    async fn tried_configurations(
        &self,
        series: &SeriesKey,
        period: TimeRange,
        task: &str,
    ) -> Result<Vec<String>, MetaError>;

    /// What was tried for `task` on a series over periods that overlap `period`, with the days of those that have any of
    /// `measure`: the newest tries first, at most `limit`. A configuration that was tried several times comes as often.
    async fn tried_days(
        &self,
        series: &SeriesKey,
        period: TimeRange,
        task: &str,
        measure: &str,
        limit: u32,
    ) -> Result<Vec<TriedDays>, MetaError>;
}
