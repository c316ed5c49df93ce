//! Compaction among others who commit.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_commits_all_the_while_is_not_fenced_and_no_row_is_lost_or_doubled() {
    for lake in [hadoop().await, sqlite().await] {
        let table = Arc::new(open(&lake, &[], &["timestamp"], &[]).await);
        for n in 0..4 {
            append(&table, n, &[rows(n as i64 * 100..n as i64 * 100 + 100)]).await;
        }
        let ingesting = {
            let table = Arc::clone(&table);
            tokio::spawn(async move {
                for n in 4..24 {
                    append(&table, n, &[rows(n as i64 * 100..n as i64 * 100 + 100)]).await;
                }
            })
        };
        let mut replaced = 0;
        while !ingesting.is_finished() {
            let done = run(&lake, &options(&lake)).await;
            assert_eq!((&done.failed, &done.given_up), (&Vec::new(), &Vec::new()));
            replaced += done.files_before;
        }
        ingesting.await.unwrap();
        assert!(replaced > 0);
        run(&lake, &options(&lake)).await;
        let texts = content(&lake).await;
        assert_eq!((texts.len(), texts.iter().collect::<BTreeSet<_>>().len()), (2400, 2400));
        assert_eq!(live(&lake).await.len(), 1);
        assert_no_orphans(&lake).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_compactions_of_the_same_files_one_gives_up_and_leaves_nothing() {
    for lake in [hadoop().await, sqlite().await] {
        let table = open(&lake, &[], &["timestamp"], &[]).await;
        for n in 0..5 {
            append(&table, n, &[rows(n as i64 * 100..n as i64 * 100 + 100)]).await;
        }
        let (head, before) = (load(&lake).await, content(&lake).await);
        let (winner, loser) = (ready(&lake, &head).await, ready(&lake, &head).await);
        let (mut first, mut second) = (Compaction::default(), Compaction::default());
        swap::replace(&lake.catalog, &ident(), &head.metadata, winner, &mut first).await.unwrap();
        swap::replace(&lake.catalog, &ident(), &head.metadata, loser, &mut second).await.unwrap();
        assert_eq!((first.groups, first.given_up.len()), (1, 0));
        assert_eq!((second.groups, second.given_up.len(), second.left), (0, 1, 0));
        assert!(second.given_up[0].contains("somebody else has replaced"), "{:?}", second.given_up);
        assert_eq!(content(&lake).await, before);
        assert_eq!(live(&lake).await.len(), 1);
        assert_no_orphans(&lake).await;
    }
}

/// A compaction right before its commit.
async fn ready(lake: &Lake, head: &Loaded) -> Vec<Ready> {
    let held = Held::read(&lake.store, &head.metadata, i64::MAX).await.unwrap();
    let group = select::select(&head.metadata, held, &options(lake)).unwrap().groups.remove(0);
    let workshop = Workshop {
        store: lake.store.clone(),
        metadata: Arc::clone(&head.metadata),
        scratch: Scratch::new(lake.folder.path().join("scratch")),
        strategy: Strategy::Binpack,
        memory_bytes: 1e8,
        pace: Pace::default(),
    };
    vec![workshop.rewrite(group, &mut Duration::default()).await.unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_file_that_comes_meanwhile_makes_it_give_up_and_a_new_column_does_not() {
    let lake = hadoop().await;
    let table = open(&lake, &[], &["timestamp"], &[]).await;
    for n in 0..3 {
        append(&table, n, &[rows(n as i64 * 100..n as i64 * 100 + 100)]).await;
    }
    let head = load(&lake).await;
    let (early, late) = (ready(&lake, &head).await, ready(&lake, &head).await);
    let mut fields = load_schema().as_struct().fields().to_vec();
    fields.push(Arc::new(NestedField::optional(99, "note", Type::Primitive(PrimitiveType::String))));
    change(&lake, |b| b.add_current_schema(Schema::builder().with_fields(fields).build().unwrap()).unwrap()).await;
    refusals::add_delete_file(&lake).await;
    let mut done = Compaction::default();
    swap::replace(&lake.catalog, &ident(), &head.metadata, early, &mut done).await.unwrap();
    assert_eq!((done.groups, done.left), (0, 0));
    assert!(done.given_up[0].contains("delete files"), "{:?}", done.given_up);
    // Without the delete file it goes through.
    refusals::back_to(&lake, &head).await;
    let mut done = Compaction::default();
    swap::replace(&lake.catalog, &ident(), &head.metadata, late, &mut done).await.unwrap();
    assert_eq!((done.groups, &done.given_up), (1, &Vec::new()));
    assert_eq!(content(&lake).await.len(), 300);
    assert_no_orphans(&lake).await;
}
