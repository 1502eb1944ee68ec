//! Deadlines: whoever asks a database gets an answer, or learns in time that there is none.

use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::time::timeout;

use super::Record;
use crate::MetaError;

/// What `call` to the database at `place` answers; an error when that takes longer than `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    place: &str,
    call: impl Future<Output = Result<T, MetaError>>,
) -> Result<T, MetaError> {
    timeout(limit, call).await.unwrap_or_else(|_| Err(unanswered(limit, place)))
}

/// That `place` did not answer within `limit`.
pub(super) fn unanswered(limit: Duration, place: &str) -> MetaError {
    MetaError::Unreachable { place: place.to_owned(), detail: silence(limit) }
}

/// The same in words.
pub(super) fn silence(limit: Duration) -> String {
    format!("no answer within {} s", limit.as_secs_f64())
}

/// `rows` as records, each of which has to come within `limit`; how long the caller takes in between does not count.
pub(super) fn paced<'a, R: Send + 'a>(
    rows: BoxStream<'a, sqlx::Result<R>>,
    limit: Duration,
    place: &'a str,
    record: fn(R) -> Record,
    fault: fn(&sqlx::Error, &str) -> MetaError,
) -> BoxStream<'a, Result<Record, MetaError>> {
    stream::try_unfold(rows, move |mut rows| async move {
        match timeout(limit, rows.try_next()).await {
            Ok(Ok(Some(row))) => Ok(Some((record(row), rows))),
            Ok(Ok(None)) => Ok(None),
            Ok(Err(error)) => Err(fault(&error, place)),
            Err(_) => Err(unanswered(limit, place)),
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(3_600);

    #[tokio::test(start_paused = true)]
    async fn a_call_that_never_answers_ends_as_unreachable() {
        let error = within(LIMIT, "here", pending::<Result<(), MetaError>>()).await.unwrap_err();
        assert_eq!(error, MetaError::Unreachable { place: "here".into(), detail: "no answer within 3600 s".into() });
        assert_eq!(within(LIMIT, "here", async { Ok(7) }).await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn records_that_stop_coming_end_the_stream_with_an_error() {
        let fault = |error: &sqlx::Error, place: &str| MetaError::Database {
            place: place.to_owned(),
            detail: error.to_string(),
        };
        let no_record: fn(()) -> Record = |()| unreachable!("no row comes");
        let silent = paced(stream::pending::<sqlx::Result<()>>().boxed(), LIMIT, "here", no_record, fault);
        let answers: Vec<_> = silent.map(|answer| answer.map(drop)).collect().await;
        assert_eq!(answers, [Err(unanswered(LIMIT, "here"))]);

        let broken = stream::iter([Err::<(), _>(sqlx::Error::RowNotFound)]).boxed();
        let answers: Vec<_> =
            paced(broken, LIMIT, "here", no_record, fault).map(|answer| answer.map(drop)).collect().await;
        assert!(matches!(answers.as_slice(), [Err(MetaError::Database { .. })]), "{answers:?}");
    }
}
