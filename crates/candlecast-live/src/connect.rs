//! [`exchange`]: an exchange of the catalog, reached where the user says.

use std::sync::Arc;

use candlecast_core::Problem;
use candlecast_exchange::{Exchange, ExchangeError, Setting, check_address, find};
use candlecast_host::Host;
use serde_json::json;

/// Which exchange, and how it is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExchangeOptions {
    /// Id or alias; `binance` if `None`.
    pub venue: Option<String>,
    /// Base URL of the REST side instead of the public one.
    pub rest_url: Option<String>,
    /// Base URL of the WebSocket side instead of the public one.
    pub stream_url: Option<String>,
    /// Take these URLs as they are, private networks and plain text included.
    pub allow_url: bool,
    /// Attempts after the first, for a request or a connection; the exchange's default if `None`.
    pub retries: Option<u32>,
}

/// The exchange of `options`. Nothing is sent yet.
pub fn exchange(host: &Host, options: &ExchangeOptions) -> Result<Arc<dyn Exchange>, Problem> {
    let entry = find(options.venue.as_deref().unwrap_or("binance")).map_err(exchange_error)?;
    if entry.id == "replay" {
        let remedy = "replay is no exchange to fetch from: play files with `candlecast stream --replay FILE`";
        return Err(Problem::usage("bad-venue", "venue", remedy));
    }
    if !options.allow_url {
        check("rest-url", options.rest_url.as_deref())?;
        check("stream-url", options.stream_url.as_deref())?;
    }
    let config = options.retries.map_or_else(|| json!({}), |retries| json!({ "retries": retries }));
    let setting = Setting {
        rest_url: options.rest_url.clone(),
        stream_url: options.stream_url.clone(),
        public_only: !options.allow_url,
        seed: host.seed.derive("exchange", 0),
        ..Setting::default()
    };
    Ok(Arc::from(entry.build(&config)?.connect(&setting).map_err(exchange_error)?))
}

fn check(field: &'static str, url: Option<&str>) -> Result<(), Problem> {
    let Some(url) = url else { return Ok(()) };
    check_address(url).map_err(|reason| {
        let detail = format!("--{field} is refused: {reason}; pass --allow-url if it is meant");
        Problem::usage("bad-exchange-url", field, detail)
    })
}

/// Who has to act on what an exchange said.
pub(crate) fn exchange_error(error: ExchangeError) -> Problem {
    let detail = error.to_string();
    match error {
        ExchangeError::UnknownExchange { .. } => Problem::usage("bad-venue", "venue", detail),
        ExchangeError::Unsupported { .. } => Problem::usage("not-offered", "venue", detail),
        ExchangeError::Url { .. } => Problem::usage("bad-exchange-url", "rest-url", detail),
        ExchangeError::Config(e) => e.into(),
        ExchangeError::Key(e) => e.into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_networks_need_a_word_of_consent() {
        assert!(check("rest-url", None).is_ok() && check("rest-url", Some("http://127.0.0.1:8080")).is_ok());
        let error = check("rest-url", Some("http://192.168.0.10")).unwrap_err();
        assert_eq!((error.code, error.field.as_deref(), error.exit_code()), ("bad-exchange-url", Some("rest-url"), 2));
        assert!(error.detail.contains("--allow-url"), "{}", error.detail);
    }

    #[test]
    fn whoever_has_to_act_is_told() {
        let unknown = exchange_error(find("binnance").unwrap_err());
        assert_eq!((unknown.code, unknown.exit_code()), ("bad-venue", 2));
        assert!(unknown.detail.contains("binance"), "{}", unknown.detail);
        assert_eq!(exchange_error(ExchangeError::NoFiles).exit_code(), 1);
    }
}
