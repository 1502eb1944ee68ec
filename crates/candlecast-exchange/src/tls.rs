//! One TLS configuration for REST and WebSocket: ring, the roots of Mozilla built in, no system state.

use std::sync::Arc;

use crate::ExchangeError;

pub(crate) fn config() -> Result<Arc<rustls::ClientConfig>, ExchangeError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| ExchangeError::Setup { what: "TLS", reason: e.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
