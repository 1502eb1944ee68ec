//! Why there is no encrypted connection, and what to set.

use rustls::{CertificateError, Error as TlsError};

use crate::MetaError;

const NOT_OFFERED: &str = "turn `ssl` on there; where nobody else can reach the network in between, sslmode=disable in \
                           DATABASE_URL does without encryption";
const UNKNOWN_AUTHORITY: &str = "name the authority's certificate in DATABASE_URL, sslrootcert=/path/to/ca.crt, or add \
                                 it to this system";
const OTHER_NAME: &str = "use a host name that the certificate holds; sslmode=verify-ca in DATABASE_URL checks who \
                          signed it, but not the name";
const OTHER_TIME: &str = "renew the certificate there, or set this machine's clock";
const OTHER_CERTIFICATE: &str = "give the server a certificate for its host name that an authority signed, and name \
                                 that authority in DATABASE_URL by sslrootcert";
const REFUSED_THERE: &str = "see the server's log; a certificate of your own, where it asks for one, is named by \
                             sslcert and sslkey in DATABASE_URL";
const SOMETHING: &str = "check sslmode, sslrootcert, sslcert and sslkey in DATABASE_URL";

/// What `error`, met while connecting to `place`, says about encryption; `None` where it is about anything else.
pub(super) fn encryption_fault(error: &sqlx::Error, place: &str) -> Option<MetaError> {
    let (detail, remedy) = match error {
        sqlx::Error::Tls(inner) => match inner.downcast_ref::<TlsError>() {
            Some(inner) => explained(inner),
            // The driver's words; it has no kinds.
            None if inner.to_string().contains("does not support TLS") => {
                ("it offers no encryption".to_owned(), NOT_OFFERED)
            }
            None => (inner.to_string(), SOMETHING),
        },
        // What the handshake finds comes as an error of the socket.
        sqlx::Error::Io(inner) => explained(inner.get_ref()?.downcast_ref::<TlsError>()?),
        _ => return None,
    };
    Some(MetaError::Encryption { place: place.to_owned(), detail, remedy })
}

fn explained(error: &TlsError) -> (String, &'static str) {
    use CertificateError as C;
    match error {
        TlsError::InvalidCertificate(C::UnknownIssuer) => {
            ("no authority that is trusted here signed its certificate".to_owned(), UNKNOWN_AUTHORITY)
        }
        TlsError::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            (error.to_string(), OTHER_NAME)
        }
        TlsError::InvalidCertificate(
            C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. },
        ) => (error.to_string(), OTHER_TIME),
        TlsError::InvalidCertificate(_) => (error.to_string(), OTHER_CERTIFICATE),
        TlsError::AlertReceived(_) => (error.to_string(), REFUSED_THERE),
        _ => (error.to_string(), SOMETHING),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// As it comes from a handshake.
    fn met(error: TlsError) -> String {
        let error = sqlx::Error::Io(io::Error::new(io::ErrorKind::InvalidData, error));
        let fault = encryption_fault(&error, "postgres://db:5432/x").unwrap();
        assert!(matches!(fault, MetaError::Encryption { .. }) && !fault.is_transient(), "{fault}");
        fault.to_string()
    }

    #[test]
    fn each_cause_has_its_remedy() {
        let of = |cause: CertificateError| met(TlsError::InvalidCertificate(cause));
        assert!(of(CertificateError::UnknownIssuer).contains("sslrootcert="));
        assert!(of(CertificateError::NotValidForName).contains("sslmode=verify-ca"));
        for cause in [CertificateError::Expired, CertificateError::NotValidYet] {
            assert!(of(cause).contains("clock"));
        }
        assert!(of(CertificateError::BadSignature).contains("sslrootcert"));
        assert!(met(TlsError::AlertReceived(rustls::AlertDescription::CertificateRequired)).contains("sslcert"));
        assert!(met(TlsError::DecryptError).contains("sslmode"));
    }

    #[test]
    fn no_offer_is_told_from_other_failures() {
        let fault = |error: &str| encryption_fault(&sqlx::Error::Tls(error.into()), "db").unwrap().to_string();
        assert!(fault("server does not support TLS").contains("sslmode=disable"));
        assert!(fault("invalid dns name").contains("invalid dns name"));
    }

    #[test]
    fn lost_connections_are_no_matter_of_encryption() {
        let reset = sqlx::Error::Io(io::Error::from(io::ErrorKind::ConnectionReset));
        let ended = sqlx::Error::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof"));
        for error in [reset, ended, sqlx::Error::PoolTimedOut] {
            assert_eq!(encryption_fault(&error, "db"), None, "{error}");
        }
    }
}
