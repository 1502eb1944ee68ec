//! Connections that are lost as a transaction is committed: it counts or it does not, and that can be found out.

use candlecast_meta::{DumpPiece, Ledger, Loaded, MetaError, PageRequest, Retry, RunFilter, RunStore, SqlStore};

use crate::backends::postgres_url;
use crate::fixtures::{T0, run, tried};
use crate::proxy::{Cut, Proxy};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_without_an_answer_is_unknown_and_may_be_repeated() {
    let Some(url) = postgres_url("unknown_commit").await else { return };
    let proxy = Proxy::before(&url).await;
    let store = SqlStore::connect(proxy.url(), T0).await.unwrap();
    for (id, cut) in [("a", Cut::BeforeServer), ("b", Cut::AfterServer)] {
        proxy.cut_at_commit(cut);
        let entry = [tried(id, "x", None, (0, 10))];
        let error = store.record_tries(&entry).await.unwrap_err();
        assert!(matches!(error, MetaError::CommitUnknown { .. }) && error.is_transient(), "{cut:?}: {error}");
        let added = Retry::default().run(|| store.record_tries(&entry)).await.unwrap();
        assert_eq!(added, u64::from(cut == Cut::BeforeServer), "{cut:?}");
    }
    assert_eq!(store.ledger(None, PageRequest::default()).await.unwrap().items.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restore_knows_what_became_of_a_commit_without_an_answer() {
    let Some(url) = postgres_url("unknown_restore").await else { return };
    let dir = tempfile::tempdir().unwrap();
    let source = SqlStore::open_in(dir.path(), T0).await.unwrap();
    source.start_run(&run("kept", 0)).await.unwrap();
    let mut pieces: Vec<DumpPiece> = Vec::new();
    let dump = source
        .dump(|piece| {
            pieces.push(piece);
            Ok::<(), MetaError>(())
        })
        .await
        .unwrap();
    for (id, cut, counts) in [("first", Cut::BeforeServer, false), ("second", Cut::AfterServer, true)] {
        assert_eq!(SqlStore::is_restored(&url, id).await, Ok(false), "{id}");
        let proxy = Proxy::before(&url).await;
        proxy.cut_at_commit(cut);
        let all = pieces.iter().cloned().map(Ok::<DumpPiece, MetaError>);
        let mut n_asked = 0;
        let before_commit = || {
            n_asked += 1;
            Ok(())
        };
        let answer = SqlStore::load_server(proxy.url(), T0, &dump, all, id, before_commit).await;
        assert_eq!(n_asked, 1, "{id}");
        match answer {
            Ok(loaded) => assert!(counts && loaded == Loaded::Whole, "{id}: {loaded:?}"),
            Err(error) => assert!(!counts && matches!(error, MetaError::Unreachable { .. }), "{id}: {error}"),
        }
        assert_eq!(SqlStore::is_restored(&url, id).await, Ok(counts), "{id}");
        let target = SqlStore::connect(&url, T0).await.unwrap();
        let runs = target.runs(&RunFilter::default(), PageRequest::default()).await.unwrap().items;
        assert_eq!(runs.len(), usize::from(counts), "{id}");
    }
}
