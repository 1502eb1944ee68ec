//! Both stores keep the contract.

use candlecast_store::{LakeConfig, MemoryStore, ParquetLake};
use candlecast_testkit::assert_store_laws;

#[test]
fn the_memory_store_keeps_the_laws() {
    assert_store_laws(|| (Box::new(MemoryStore::new()), ()));
}

#[test]
fn the_lake_keeps_the_laws() {
    assert_store_laws(|| {
        let folder = tempfile::tempdir().unwrap();
        (Box::new(ParquetLake::open(folder.path()).unwrap()), folder)
    });
}

#[test]
fn the_lake_keeps_the_laws_on_one_thread() {
    assert_store_laws(|| {
        let folder = tempfile::tempdir().unwrap();
        let config = LakeConfig { threads: Some(1), ..LakeConfig::default() };
        (Box::new(ParquetLake::open_with(folder.path(), &config).unwrap()), folder)
    });
}
