use std::sync::Arc;

use super::*;
use crate::fixture::{Lake, creation, ident, sqlite, total_records};

async fn load(lake: &Lake) -> Loaded {
    lake.catalog.load(&ident()).await.unwrap()
}

async fn database(lake: &Lake) -> AnyPool {
    AnyPoolOptions::new().connect(&format!("sqlite://{}/catalog.db", lake.folder.path().display())).await.unwrap()
}

#[tokio::test]
async fn a_table_is_a_row_as_the_other_engines_write_it() {
    let lake = sqlite().await;
    lake.catalog.prove().await.unwrap();
    assert!(matches!(lake.catalog.load(&ident()).await, Err(CatalogError::NotFound(_))));
    let first = lake.create(&[]).await;
    let second = lake.append(3).await;
    assert_eq!(load(&lake).await.metadata, second.metadata);
    let row = sqlx::query("SELECT catalog_name, table_namespace, table_name, metadata_location, previous_metadata_location, iceberg_type FROM iceberg_tables")
        .fetch_one(&database(&lake).await)
        .await
        .unwrap();
    let text = |i: usize| row.get::<String, _>(i);
    assert_eq!([text(0), text(1), text(2), text(5)], ["lake", "telemetry", "spans", "TABLE"]);
    assert_eq!([text(3), text(4)], [second.location.clone(), first.location.clone()]);
    assert!(second.location.contains("/metadata/00001-"), "{}", second.location);
    assert_eq!(lake.catalog.list(None).await.unwrap(), [ident()]);
    let again = lake.catalog.create(&ident(), creation(&[], &[], &[])).await;
    assert!(matches!(again, Err(CatalogError::Exists(_))));
    lake.catalog.prove_table(&ident()).await.unwrap();
}

#[tokio::test]
async fn a_stale_writer_is_refused_and_leaves_no_file() {
    let lake = sqlite().await;
    lake.create(&[]).await;
    let stale = load(&lake).await;
    let staged = lake.stage(&stale, 5).await;
    lake.append(1).await;
    let folder = lake.folder.path().join("telemetry/spans/metadata");
    let json = || {
        let names = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|n| n.ends_with(".json")).count()
    };
    let before = json();
    let late = lake.catalog.replace(&ident(), &stale, staged.requirements, staged.updates).await;
    assert!(matches!(late, Err(SwapError::Conflict(_))), "{late:?}");
    assert_eq!(json(), before);
    assert_eq!(total_records(&load(&lake).await.metadata), 1);
}

#[tokio::test]
async fn an_error_of_the_commit_is_not_taken_for_success() {
    // The crate's own catalog says Ok when the COMMIT failed (T2). A deferred foreign key is refused just there.
    let lake = sqlite().await;
    lake.create(&[]).await;
    let base = load(&lake).await;
    let database = database(&lake).await;
    for statement in [
        "CREATE TABLE allowed (location VARCHAR PRIMARY KEY)",
        "CREATE TABLE moved (location VARCHAR REFERENCES allowed (location) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER moves AFTER UPDATE ON iceberg_tables BEGIN INSERT INTO moved VALUES (NEW.metadata_location); END",
    ] {
        database.execute(statement).await.unwrap();
    }
    let staged = lake.stage(&base, 5).await;
    let swapped = lake.catalog.replace(&ident(), &base, staged.requirements, staged.updates).await;
    assert!(matches!(swapped, Err(SwapError::Unknown(_))), "{swapped:?}");
    assert_eq!(load(&lake).await.location, base.location);
    // And the connection is whole again.
    database.execute("DROP TRIGGER moves").await.unwrap();
    assert_eq!(total_records(&lake.append(2).await.metadata), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_racers_lose_no_commit_and_double_none() {
    let lake = Arc::new(sqlite().await);
    lake.create(&[]).await;
    let racing = (0..16).map(|_| {
        let lake = Arc::clone(&lake);
        tokio::spawn(async move {
            for _ in 0..3 {
                loop {
                    let base = load(&lake).await;
                    let staged = lake.stage(&base, 1).await;
                    match lake.catalog.replace(&ident(), &base, staged.requirements, staged.updates).await {
                        Ok(_) => break,
                        Err(SwapError::Conflict(_)) => {}
                        Err(e) => panic!("{e:?}"),
                    }
                }
            }
        })
    });
    for racer in racing.collect::<Vec<_>>() {
        racer.await.unwrap();
    }
    assert_eq!(total_records(&load(&lake).await.metadata), 48);
}

#[tokio::test]
async fn old_metadata_files_are_deleted_when_the_table_says_so() {
    let lake = sqlite().await;
    lake.create(&[
        ("write.metadata.delete-after-commit.enabled", "true"),
        ("write.metadata.previous-versions-max", "2"),
    ])
    .await;
    for _ in 0..6 {
        lake.append(1).await;
    }
    let names = std::fs::read_dir(lake.folder.path().join("telemetry/spans/metadata")).unwrap();
    let json = names.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().ends_with(".json")).count();
    assert_eq!(json, 3);
}

#[tokio::test]
async fn a_catalog_without_the_type_column_is_served_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let uri = format!("sqlite://{}/deep/er/catalog.db", folder.path().display());
    std::fs::create_dir_all(folder.path().join("deep/er")).unwrap();
    sqlx::any::install_default_drivers();
    let database = AnyPoolOptions::new().connect(&format!("{uri}?mode=rwc")).await.unwrap();
    // Java's schema V0.
    database.execute(TABLES.replace("    iceberg_type VARCHAR(5),\n", "").as_str()).await.unwrap();
    let store = Store::open(folder.path().to_str().unwrap(), crate::store::S3Options::default()).unwrap();
    let sql = Sql::open(&uri, "lake".to_string(), store).await.unwrap();
    assert!(!sql.has_type);
    sql.prove().await.unwrap();
    sql.create(&ident(), creation(&[], &[], &[])).await.unwrap();
    assert_eq!(sql.load(&ident()).await.unwrap().metadata.format_version(), iceberg::spec::FormatVersion::V2);
    assert_eq!(sql.list(None).await.unwrap(), [ident()]);
}

#[tokio::test]
async fn catalogs_of_other_names_in_one_database_do_not_see_each_other() {
    let lake = sqlite().await;
    lake.create(&[]).await;
    let uri = format!("sqlite://{}/catalog.db", lake.folder.path().display());
    let other = Sql::open(&uri, "other".to_string(), lake.store.clone()).await.unwrap();
    assert!(matches!(other.load(&ident()).await, Err(CatalogError::NotFound(_))));
    assert!(other.list(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_database_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap(), crate::store::S3Options::default()).unwrap();
    let e = Sql::open("mysql://x/y", "lake".to_string(), store).await.unwrap_err();
    assert!(matches!(e, CatalogError::Refused(_)), "{e}");
}
