//! Reading the log.

use candlecast_meta::{LoggedPrediction, Page, PageRequest, PredictionFilter};

use crate::{App, AppError};

impl App {
    /// A page of logged predictions, last target first. Page ten thousand costs what the first does.
    pub async fn predictions(
        &self,
        filter: &PredictionFilter,
        page: PageRequest,
    ) -> Result<Page<LoggedPrediction>, AppError> {
        Ok(self.metadata().await?.predictions(filter, page).await?)
    }
}
