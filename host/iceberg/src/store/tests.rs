use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap(), S3Options::default()).unwrap();
    (folder, store)
}

#[test]
fn spellings_of_one_place_are_one() {
    for same in ["/lake/a", "file:/lake/a", "file:///lake/a", "file:///lake//a/"] {
        assert_eq!(Place::of(same).unwrap(), Place::Local("/lake/a".into()), "{same}");
    }
    assert!(Place::is_same("s3://b/w", "s3a://b/w/"));
    assert!(Place::is_same("s3n://b/w", "s3a://b/w"));
    assert!(!Place::is_same("s3://b/w", "s3://c/w"));
    for bad in ["lake", "file://host/lake", "s3://", "/a/../b", "hdfs://x/y", ""] {
        assert!(Place::of(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn of_many_who_create_one_file_one_succeeds() {
    let (_folder, store) = store();
    let location = format!("{}/x/y/v1.json", store.warehouse());
    let tries = (0..16).map(|i| {
        let (store, location) = (store.clone(), location.clone());
        tokio::spawn(async move { (i, store.create(&location, format!("{i}").into()).await.unwrap()) })
    });
    let mut won = Vec::new();
    for tried in tries.collect::<Vec<_>>() {
        let (i, written) = tried.await.unwrap();
        if written == Written::Done {
            won.push(i.to_string());
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(store.read(&location).await.unwrap(), won[0].as_bytes());
    let left = store.list(&format!("{}/x/y", store.warehouse())).await.unwrap();
    assert_eq!(left.len(), 1, "no temporary file stays: {left:?}");
}

#[tokio::test]
async fn one_key_is_one_file_through_every_door() {
    let (_folder, store) = store();
    // What a partition's folder may look like.
    let location = format!("file://{}/data/service=a%2Fb c/f.parquet", store.warehouse());
    store.write(&location, "abc".into()).await.unwrap();
    let (object, path) = store.object(&location).unwrap();
    assert_eq!(object.get(&path).await.unwrap().bytes().await.unwrap(), "abc");
    let io = store.file_io();
    assert_eq!(io.new_input(&location).unwrap().read().await.unwrap(), "abc");
    assert_eq!(store.read_range(&location, 1..3).await.unwrap(), "bc");
    assert!(store.read_range(&location, 1..9).await.is_err());
    assert_eq!(store.size(&location).await.unwrap(), Some(3));
    store.delete(&location).await.unwrap();
    store.delete(&location).await.unwrap();
    assert!(!io.exists(&location).await.unwrap());
}

#[test]
fn a_lock_excludes_and_ends_with_its_holder() {
    let folder = tempfile::tempdir().unwrap();
    let held = local::Lock::try_take(folder.path()).unwrap().unwrap();
    assert!(local::Lock::try_take(folder.path()).unwrap().is_none());
    drop(held);
    assert!(local::Lock::try_take(folder.path()).unwrap().is_some());
}

#[test]
fn keys_are_not_shown() {
    let s3 = S3Options { access_key: Some("id".into()), secret_key: Some("hush".into()), ..S3Options::default() };
    assert!(!format!("{s3:?}").contains("hush"));
}

#[test]
fn an_error_of_s3_is_told_in_one_line_without_the_signed_request() {
    let page = "403 Forbidden: <?xml version=\"1.0\"?>\n<Error><Code>SignatureDoesNotMatch</Code><Message>Check your \
                key.</Message><StringToSign>AWS4 20261125</StringToSign></Error>";
    let source = Box::new(object_store::Error::Generic { store: "S3", source: page.into() });
    let e = StoreError::Object { doing: "write", location: "s3://b/k".to_string(), source };
    let said = e.to_string();
    assert!(said.ends_with("403 Forbidden: SignatureDoesNotMatch: Check your key."), "{said}");
}
