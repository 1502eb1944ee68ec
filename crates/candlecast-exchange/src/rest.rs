//! [`Rest`]: GET requests within the exchange's limits, repeated where that helps.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use candlecast_core::Venue;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::address::shown;
use crate::backoff::Backoff;
use crate::error::brief;
use crate::shared_budget::SharedBudget;
use crate::{Clock, ExchangeError, Misread, Protocol, Request, Setting, Tuning};

/// No answer of an exchange is nearly as long; a longer one is cut off. As a tree of values it takes some twenty times as
/// much.
const MAX_BODY_BYTES: usize = 8 << 20;
/// Longest `Retry-After` that is obeyed, in s: what is longer is a mistake or malice, and asking once an hour harms nobody.
const MAX_RETRY_AFTER_S: u64 = 3_600;
/// Binance bans for two minutes at first and does not always say so.
const UNSTATED_BAN_MS: u64 = 120_000;

/// What a single attempt met.
enum Trouble {
    /// No use in another attempt.
    Final(ExchangeError),
    /// Worth another attempt after a wait.
    Passing(String),
    /// The exchange wants us to wait.
    Throttled { status: u16, wait_ms: Option<u64> },
}

/// The REST side of one exchange.
#[derive(Debug)]
pub(crate) struct Rest {
    venue: Venue,
    base: String,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
    tuning: Tuning,
    weight_header: Option<&'static str>,
    budget: SharedBudget,
    /// Status of the answer that last wanted us to wait.
    throttled_by: AtomicU16,
    backoff: Mutex<Backoff>,
    requests: AtomicU64,
}

impl Rest {
    pub(crate) fn new(
        protocol: &dyn Protocol,
        tuning: Tuning,
        setting: &Setting,
        tls: &rustls::ClientConfig,
    ) -> Result<Self, ExchangeError> {
        let base = base_url(protocol, setting)?;
        let timeout = Duration::from_millis(tuning.timeout_ms);
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .user_agent(concat!("candlecast/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(timeout)
            .timeout(timeout);
        if is_local(&base) {
            builder = builder.no_proxy();
        }
        let client =
            builder.build().map_err(|e| ExchangeError::Setup { what: "the HTTP client", reason: describe(&e) })?;
        let (venue, share) = (protocol.venue(), tuning.weight_share);
        let budget = SharedBudget::new("requests", &venue, &base, protocol.budget(), share, setting.clock.as_ref());
        Ok(Self {
            venue,
            base,
            client,
            clock: Arc::clone(&setting.clock),
            tuning,
            weight_header: protocol.used_weight_header(),
            budget,
            throttled_by: AtomicU16::new(429),
            backoff: Mutex::new(Backoff::new(setting.seed)),
            requests: AtomicU64::new(0),
        })
    }

    /// Waits in ms after so many failures.
    pub(crate) fn backoff_ms(&self, failures: u32) -> u64 {
        locked(&self.backoff).wait_ms(failures)
    }

    /// Requests sent so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Asks until `read` accepts an answer, the exchange refuses, or the attempts are used up.
    pub(crate) async fn get<T: Send>(
        &self,
        request: &Request,
        read: impl Fn(&str) -> Result<T, Misread> + Send + Sync,
    ) -> Result<T, ExchangeError> {
        let mut failures = 0;
        loop {
            self.wait_for(request.weight).await?;
            let trouble = match self.attempt(request, &read).await {
                Ok(value) => return Ok(value),
                Err(trouble) => trouble,
            };
            let (cause, pause_ms) = match trouble {
                Trouble::Final(error) => return Err(error),
                Trouble::Passing(cause) => (cause, self.backoff_ms(failures)),
                Trouble::Throttled { status, wait_ms } => (self.hold_back(status, wait_ms, failures)?, 0),
            };
            failures += 1;
            tracing::debug!(venue = %self.venue, path = request.path, failures, cause, "request failed");
            if failures > self.tuning.retries {
                let (venue, what) = (self.venue.clone(), request.path.clone());
                return Err(ExchangeError::Unreachable { venue, what, attempts: failures, cause });
            }
            if pause_ms > 0 {
                self.clock.sleep_ms(pause_ms).await;
            }
        }
    }

    /// Waits until the budget allows the request; an error where the exchange has imposed a longer wait than `maxWaitMs`.
    async fn wait_for(&self, weight: u32) -> Result<(), ExchangeError> {
        loop {
            let now_ms = self.clock.elapsed_ms();
            let blocked_ms = self.budget.blocked_ms(now_ms);
            if blocked_ms > self.tuning.max_wait_ms {
                return Err(self.blocked(self.throttled_by.load(Ordering::Relaxed), blocked_ms));
            }
            let wait_ms = self.budget.reserve(now_ms, weight);
            if wait_ms == 0 {
                return Ok(());
            }
            self.clock.sleep_ms(wait_ms).await;
        }
    }

    fn blocked(&self, status: u16, wait_ms: u64) -> ExchangeError {
        ExchangeError::Blocked { venue: self.venue.clone(), status, wait_s: wait_ms.div_ceil(1_000) }
    }

    /// Blocks all requests for as long as the exchange wants.
    fn hold_back(&self, status: u16, wait_ms: Option<u64>, failures: u32) -> Result<String, ExchangeError> {
        let unstated = || if status == 418 { UNSTATED_BAN_MS } else { self.backoff_ms(failures) };
        let wait_ms = wait_ms.unwrap_or_else(unstated);
        self.throttled_by.store(status, Ordering::Relaxed);
        self.budget.block_until(self.clock.elapsed_ms().saturating_add(wait_ms));
        if wait_ms > self.tuning.max_wait_ms {
            return Err(self.blocked(status, wait_ms));
        }
        Ok(format!("status {status}, to wait {wait_ms} ms"))
    }

    async fn attempt<T>(
        &self,
        request: &Request,
        read: &(impl Fn(&str) -> Result<T, Misread> + Send + Sync),
    ) -> Result<T, Trouble> {
        let url = format!("{}{}", self.base, request.path);
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answer = self.client.get(&url).send().await.map_err(|e| Trouble::Passing(describe(&e)))?;
        let status = answer.status().as_u16();
        self.observe(answer.headers());
        if matches!(status, 418 | 429) {
            return Err(Trouble::Throttled { status, wait_ms: retry_after_ms(answer.headers()) });
        }
        let body = text(answer).await.map_err(Trouble::Passing)?;
        match status {
            200..=299 => read(&body).map_err(|misread| self.judge(request, misread)),
            408 | 425 | 500..=599 => Err(Trouble::Passing(format!("status {status}: {}", brief(&body)))),
            400 | 404 | 422 if is_object(&body) => {
                Err(Trouble::Final(self.refused(request, format!("status {status}: {}", brief(&body)))))
            }
            _ => Err(Trouble::Final(self.denied(request, status, &body))),
        }
    }

    fn judge(&self, request: &Request, misread: Misread) -> Trouble {
        match misread {
            Misread::Unreadable(reason) => Trouble::Passing(reason),
            Misread::Busy(_) => Trouble::Throttled { status: 429, wait_ms: None },
            Misread::Refused(message) => Trouble::Final(self.refused(request, message)),
        }
    }

    fn refused(&self, request: &Request, message: String) -> ExchangeError {
        ExchangeError::Refused { venue: self.venue.clone(), path: request.path.clone(), message }
    }

    fn denied(&self, request: &Request, status: u16, body: &str) -> ExchangeError {
        let (venue, path) = (self.venue.clone(), request.path.clone());
        ExchangeError::Denied { venue, path, status, message: brief(body) }
    }

    fn observe(&self, headers: &HeaderMap) {
        let used = self.weight_header.and_then(|name| headers.get(name)?.to_str().ok()?.trim().parse().ok());
        if let Some(used) = used {
            self.budget.observe(self.clock.elapsed_ms(), used);
        }
    }
}

/// The lock even after a panic elsewhere: no guarded value is ever half changed.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn base_url(protocol: &dyn Protocol, setting: &Setting) -> Result<String, ExchangeError> {
    let url = setting.rest_url.as_deref().unwrap_or_else(|| protocol.rest_url());
    let bad = |reason: String| ExchangeError::Url { venue: protocol.venue(), url: shown(url), reason };
    let parsed = reqwest::Url::parse(url).map_err(|e| bad(e.to_string()))?;
    match parsed.scheme() {
        "http" | "https" => Ok(url.trim_end_matches('/').to_owned()),
        other => Err(bad(format!("its scheme is {other}, not http or https"))),
    }
}

fn is_local(base: &str) -> bool {
    let host = reqwest::Url::parse(base).ok().and_then(|u| u.host_str().map(str::to_owned));
    matches!(host.as_deref(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// True where an answer is of the form in which exchanges say what is wrong with a request. A page of HTML is of a
/// firewall or a gateway.
fn is_object(body: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(body).is_ok_and(|value| value.is_object())
}

/// `Retry-After` in seconds, at most an hour; the form with a date is not used by any exchange here.
fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Digits beyond the range of numbers are a long time, too.
    let seconds: u64 = is_number.then(|| text.parse().unwrap_or(u64::MAX))?;
    Some(1_000 * seconds.min(MAX_RETRY_AFTER_S))
}

async fn text(mut answer: reqwest::Response) -> Result<String, String> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|e| describe(&e))? {
        if body.len() + part.len() > MAX_BODY_BYTES {
            return Err(format!("the answer is longer than {MAX_BODY_BYTES} bytes"));
        }
        body.extend_from_slice(&part);
    }
    String::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())
}

/// The error and what lies beneath it: reqwest's own text stops at "error sending request".
fn describe(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    brief(&words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn a_wait_that_is_asked_for_is_at_most_an_hour() {
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after_ms(&headers)
        };
        assert_eq!([asked("0"), asked("7"), asked(" 3600 ")], [Some(0), Some(7_000), Some(3_600_000)]);
        for long in ["3601", "99999999999", "18446744073709551615", "99999999999999999999999999"] {
            assert_eq!(asked(long), Some(3_600_000), "{long}");
        }
        for other in ["", "-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(asked(other), None, "{other}");
        }
    }

    #[test]
    fn only_the_exchange_itself_answers_with_an_object() {
        assert!(is_object(r#"{"code":-1121,"msg":"Invalid symbol."}"#));
        assert!(!is_object("<html>403 Forbidden</html>") && !is_object("[]") && !is_object(""));
    }

    #[test]
    fn a_url_that_is_refused_keeps_its_password() {
        let setting = |rest_url: &str| Setting { rest_url: Some(rest_url.to_owned()), ..Setting::default() };
        for url in ["ftp://me:secret@api.example.com", "https://me:secret@", "me:secret@api.example.com"] {
            let error = base_url(&crate::Binance::Spot, &setting(url)).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
