use weir_pipeline::batch::{Generation, Record, TopicPartition};

use super::*;

fn offer(mirror: &Arc<Mirror>, records: usize) {
    let record = Record { offset: 0, timestamp_ms: None, key: None, value: None, headers: Vec::new() };
    let batch = Batch {
        source: TopicPartition::new("t", 0),
        generation: Generation(1),
        from: 0,
        to: 1,
        records: vec![record; records],
        held: Held::default(),
    };
    mirror.offer(&batch, &Arc::default(), &Applied::default());
}

#[test]
fn a_tap_gets_its_share_while_there_is_room_and_nobody_waits() {
    let mirror = Arc::new(Mirror::default());
    let (stop, mut samples) = mirror.tap(3);
    let (_all, mut every) = mirror.tap(1);
    (0..9).for_each(|_| offer(&mirror, 1));
    offer(&mirror, 0);
    // Two wait; the rest has passed by.
    assert!(samples.try_recv().is_ok() && samples.try_recv().is_ok() && samples.try_recv().is_err());
    assert!(every.try_recv().is_ok() && every.try_recv().is_ok() && every.try_recv().is_err());
    drop(stop);
    assert!(samples.blocking_recv().is_none(), "who waits hears of the end");
    offer(&mirror, 1);
    assert!(every.try_recv().is_ok());
}
