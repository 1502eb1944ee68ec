//! Reading the log.

use candlecast_core::Problem;
use candlecast_host::Host;
use candlecast_meta::{LoggedPrediction, Page, PageRequest, PredictionFilter};

/// A page of logged predictions, last target first. Page ten thousand costs what the first does.
pub async fn predictions(
    host: &Host,
    filter: &PredictionFilter,
    page: PageRequest,
) -> Result<Page<LoggedPrediction>, Problem> {
    Ok(host.metadata().await?.predictions(filter, page).await?)
}
