//! Encrypted connections: asked for before anything is said, and refused where the server cannot prove who it is.

use std::path::PathBuf;

use candlecast_meta::{MetaError, PageRequest, RunFilter, RunStore, SqlStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::backends::fresh_schema;
use crate::fixtures::{T0, run};

/// What a client sends first that wants encryption: its length, and the number of the request (SSLRequest).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// The answer of a server that has none.
const NO: &[u8] = b"N";

/// A server that says `answer` to the first eight bytes; returns its port, and those and what comes after them.
async fn eavesdropper(answer: &'static [u8]) -> (u16, JoinHandle<(Vec<u8>, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let listening = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut first = vec![0; 8];
        client.read_exact(&mut first).await.unwrap();
        client.write_all(answer).await.unwrap();
        let mut after = vec![0; 1_000];
        let n = client.read(&mut after).await.unwrap_or(0);
        after.truncate(n);
        (first, after)
    });
    (port, listening)
}

/// The error of connecting to a server that offers no encryption, and what that server heard.
async fn refused(host: &str, query: &str) -> (MetaError, Vec<u8>, Vec<u8>) {
    let (port, listening) = eavesdropper(NO).await;
    let url = format!("postgres://me:hunter2@{host}:{port}/x{query}");
    let error = SqlStore::connect(&url, T0).await.unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let (first, after) = listening.await.unwrap();
    (error, first, after)
}

#[tokio::test]
async fn another_host_that_offers_no_encryption_hears_nothing() {
    // An address that is this machine's, but not its loopback: so is the name of a container or of another host.
    for query in ["", "?sslmode=require", "?sslmode=verify-ca", "?sslmode=verify-full"] {
        let (error, first, after) = refused("0.0.0.0", query).await;
        assert_eq!((first.as_slice(), after.as_slice()), (&SSL_REQUEST[..], &[][..]), "{query}");
        assert!(matches!(error, MetaError::Encryption { .. }) && !error.is_transient(), "{query}: {error}");
        assert!(error.to_string().contains("sslmode=disable") && error.to_string().contains("0.0.0.0"), "{error}");
    }
    // On this machine, too, where it is asked for.
    let (error, first, after) = refused("127.0.0.1", "?sslmode=verify-full").await;
    assert_eq!((first.as_slice(), after.len()), (&SSL_REQUEST[..], 0));
    assert!(matches!(error, MetaError::Encryption { .. }), "{error}");
}

#[tokio::test]
async fn without_encryption_is_gone_on_only_here_or_where_it_is_asked_for() {
    for (host, query) in [("127.0.0.1", ""), ("0.0.0.0", "?sslmode=prefer")] {
        let (error, first, after) = refused(host, query).await;
        assert_eq!(first, SSL_REQUEST, "{host}{query}");
        // Length, and version 3.0 of the protocol.
        assert_eq!(after.get(4..8), Some(&[0, 3, 0, 0][..]), "{host}{query}");
        assert!(matches!(error, MetaError::Unreachable { .. }), "{error}");
    }
    let (_, first, _) = refused("0.0.0.0", "?sslmode=disable").await;
    assert_eq!(first[4..], [0, 3, 0, 0]);
}

/// A server that takes encrypted connections only: its URL without `sslmode`, and the folder with the certificate of
/// its authority (`ca.crt`) and that of another one (`other.crt`). `cargo xtask test` starts it.
fn encrypted_server() -> Option<(String, PathBuf)> {
    let url = std::env::var("CANDLECAST_TEST_POSTGRES_TLS").ok();
    let folder = std::env::var_os("CANDLECAST_TEST_POSTGRES_TLS_CERTIFICATES").map(PathBuf::from);
    let found = url.zip(folder);
    if found.is_none() {
        candlecast_testenv::missing("PostgreSQL with TLS: CANDLECAST_TEST_POSTGRES_TLS names no server");
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_proves_who_it_is_is_worked_with() {
    let Some((url, folder)) = encrypted_server() else { return };
    let authority = folder.join("ca.crt");
    let url = format!("{url}?sslmode=verify-full&sslrootcert={}", authority.display());
    let url = fresh_schema(&url, "encrypted").await;
    let store = SqlStore::connect(&url, T0).await.unwrap();
    assert!(store.start_run(&run("a", 0)).await.unwrap());
    assert_eq!(store.runs(&RunFilter::default(), PageRequest::default()).await.unwrap().items.len(), 1);
    // Without `sslmode`, a named authority is asked all the same; `verify-ca` does not compare names.
    let schema = url.split_once("&options=").unwrap().1;
    let by_name = format!("{}?sslrootcert={}&options={schema}", url.split_once('?').unwrap().0, authority.display());
    SqlStore::connect(&by_name, T0).await.unwrap();
    let by_address = by_name.replacen("@localhost", "@127.0.0.1", 1);
    SqlStore::connect(&format!("{by_address}&sslmode=verify-ca"), T0).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_does_not_prove_who_it_is_is_refused() {
    let Some((url, folder)) = encrypted_server() else { return };
    let (authority, other) = (folder.join("ca.crt"), folder.join("other.crt"));
    let with = |query: &str, root: &PathBuf| format!("{url}?{query}&sslrootcert={}", root.display());
    let cases = [
        (with("sslmode=verify-full", &other), "sslrootcert="),
        (with("sslmode=verify-ca", &other), "sslrootcert="),
        (with("sslmode=require", &other), "sslrootcert="),
        (with("application_name=x", &other), "sslrootcert="),
        (format!("{url}?sslmode=verify-full"), "sslrootcert="),
        (with("sslmode=verify-full", &authority).replacen("@localhost", "@127.0.0.1", 1), "sslmode=verify-ca"),
    ];
    for (url, remedy) in cases {
        let error = SqlStore::connect(&url, T0).await.unwrap_err();
        assert!(matches!(error, MetaError::Encryption { .. }) && !error.is_transient(), "{error}");
        assert!(error.to_string().contains(remedy), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_wants_encryption_is_not_talked_to_without() {
    let Some((url, folder)) = encrypted_server() else { return };
    let error = SqlStore::connect(&format!("{url}?sslmode=disable"), T0).await.unwrap_err();
    assert!(matches!(error, MetaError::Open { .. }), "{error}");
    // Encrypted, but with a wrong password.
    let (user, rest) = url.split_once('@').unwrap();
    let root = folder.join("ca.crt");
    let wrong = format!("{user}x@{rest}?sslmode=verify-full&sslrootcert={}", root.display());
    let error = SqlStore::connect(&wrong, T0).await.unwrap_err();
    assert!(matches!(error, MetaError::Open { .. }) && !error.is_transient(), "{error}");
}
