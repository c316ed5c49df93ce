//! What can interleave, by name.

use std::time::Duration;

use tokio::time::sleep;

use super::broker::Content;
use super::life::{Life, simulate};
use super::world::Shape;
use crate::error::{Error, Kind};
use crate::holdings::Accept;
use crate::source::Start;

/// Lives a while without faults, then does something to the data table while nothing runs.
async fn interrupted(seed: u64, meddle: impl FnOnce(&mut super::catalog::SimTableState)) -> Life {
    let life = lived(seed, Shape::ONE_TABLE).await;
    life.meddle(0, meddle);
    life
}

/// A life without faults that is ended by a kill.
async fn lived(seed: u64, shape: Shape) -> Life {
    let mut life = Life::of_shape(seed, shape, None);
    life.world.lock().faulty = false;
    life.start();
    for _ in 0..60 {
        sleep(Duration::from_millis(300)).await;
        life.produce();
        life.world.lock().broker.coordinate();
    }
    life.processes.drain(..).for_each(|p| p.kill());
    sleep(Duration::from_secs(60)).await;
    life
}

fn stops(result: &Result<(), Error>, word: &str) {
    let e = result.as_ref().expect_err("went on");
    assert!(e.kind == Kind::Fatal && e.message.contains(word), "{e}");
}

#[test]
fn a_rollback_stops_the_pipeline_and_a_flag_goes_on_from_what_is_left() {
    for back in [1, 3] {
        simulate(async {
            let mut life = interrupted(5, |table| table.roll_back(back)).await;
            stops(&life.finish(Accept::default()).await, "--accept-rollback");
            life.finish(Accept { rollback: true, ..Accept::default() }).await.unwrap();
            life.check().unwrap();
        });
    }
}

#[test]
fn a_rollback_whose_later_snapshots_expired_stops_the_pipeline() {
    simulate(async {
        let mut life = interrupted(6, |table| {
            table.roll_back(2);
            table.expire(1);
        })
        .await;
        stops(&life.finish(Accept::default()).await, "--accept-rollback");
    });
}

#[test]
fn a_property_removed_by_hand_stops_the_pipeline() {
    simulate(async {
        let mut life = interrupted(7, |table| table.meta.property = None).await;
        stops(&life.finish(Accept::default()).await, "weir.p.offsets is gone");
    });
}

#[test]
fn offsets_survive_commits_by_others_and_expiry_of_all_but_one_snapshot() {
    simulate(async {
        let mut life = interrupted(8, |table| {
            (1..9).for_each(|id| table.foreign(id));
            table.expire(1);
        })
        .await;
        life.finish(Accept::default()).await.unwrap();
        life.check().unwrap();
    });
}

#[test]
fn a_topic_made_again_stops_the_pipeline() {
    simulate(async {
        let mut life = interrupted(9, |_| ()).await;
        life.world.lock().broker.topic_id = "id-2".into();
        stops(&life.finish(Accept::default()).await, "--accept-new-topic");
    });
}

#[test]
fn a_topic_made_again_between_two_fetches_stops_the_pipeline_before_its_commit() {
    simulate(async {
        let mut life = Life::of_shape(10, Shape::ONE_TABLE, None);
        life.world.lock().faulty = false;
        life.start();
        for round in 0..80 {
            sleep(Duration::from_millis(200)).await;
            life.produce();
            let mut world = life.world.lock();
            world.broker.coordinate();
            if round == 40 {
                world.broker.topic_id = "id-2".into();
            }
        }
        sleep(Duration::from_secs(30)).await;
        stops(&life.reap().await, "made again while it was read");
    });
}

#[test]
fn retention_that_ran_past_the_offsets_stops_the_pipeline_and_a_flag_goes_on() {
    simulate(async {
        let mut life = interrupted(12, |_| ()).await;
        for log in &mut life.world.lock().broker.logs {
            log.end += 50;
            log.start = log.end - 1;
        }
        stops(&life.finish(Accept::default()).await, "--accept-lost-records");
        life.finish(Accept { lost_records: true, ..Accept::default() }).await.unwrap();
    });
}

#[test]
fn a_log_that_ends_before_the_offsets_stops_the_pipeline() {
    simulate(async {
        let mut life = interrupted(13, |_| ()).await;
        life.world.lock().broker.logs.iter_mut().for_each(|log| log.end = 1);
        stops(&life.finish(Accept::default()).await, "was cut or is another one");
    });
}

#[test]
fn partitions_added_later_begin_at_their_first_record() {
    simulate(async {
        let mut life = interrupted(14, |_| ()).await;
        life.world.lock().broker.logs.push(super::broker::Log::default());
        (0..40).for_each(|_| life.produce());
        life.finish(Accept::default()).await.unwrap();
        life.check().unwrap();
    });
}

#[test]
fn a_rollback_under_running_processes_stops_them_all_and_a_flag_goes_on() {
    for (seed, back) in [(15, 1), (16, 3)] {
        simulate(async {
            let mut life = Life::of_shape(seed, Shape::ONE_TABLE, None);
            life.world.lock().faulty = false;
            life.start();
            life.start();
            for round in 0..80 {
                sleep(Duration::from_millis(300)).await;
                life.produce();
                life.world.lock().broker.coordinate();
                if round == 60 {
                    life.meddle(0, |table| table.roll_back(back));
                }
            }
            for _ in 0..2 {
                stops(&life.reap().await, "--accept-rollback");
            }
            assert!(life.processes.is_empty());
            life.finish(Accept { rollback: true, ..Accept::default() }).await.unwrap();
            life.check().unwrap();
        });
    }
}

#[test]
fn a_rollback_of_any_table_stops_the_pipeline() {
    for at in 0..3 {
        simulate(async {
            let mut life = lived(17, Shape::TWO_TABLES).await;
            life.meddle(at, |table| table.roll_back(1));
            stops(&life.finish(Accept::default()).await, "--accept-rollback");
        });
    }
}

#[test]
fn a_rollback_of_a_further_table_alone_is_refused_and_what_is_said_then_fills_the_hole() {
    for at in 1..3 {
        simulate(async {
            let mut life = lived(23, Shape::TWO_TABLES).await;
            life.meddle(at, |table| table.roll_back(6));
            let rollback = Accept { rollback: true, ..Accept::default() };
            let refusal = life.finish(rollback).await;
            stops(&refusal, "was rolled back further than");
            let said = refusal.unwrap_err().message;
            let id = said.split("back as far, to snapshot ").nth(1).and_then(|rest| rest.split(',').next());
            let id = id.and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("names no snapshot: {said}"));
            life.meddle(0, |table| table.roll_back_to(id));
            // Without its letter a refusal may be news, of a record that the table in between has rows of.
            let letters = at == 2;
            if letters {
                stops(&life.finish(rollback).await, "--accept-other-plugin");
            }
            life.finish(Accept { other_plugin: letters, ..rollback }).await.unwrap();
            life.check().unwrap();
        });
    }
}

/// A life in which every table but the primary has what the primary has not: it is rolled back, and the property with
/// it, as if the last commits of it had never come.
async fn ahead(seed: u64, shape: Shape) -> Life {
    let life = lived(seed, shape).await;
    life.meddle(0, |table| table.undo(4));
    life
}

#[test]
fn tables_that_are_ahead_of_the_primary_take_nothing_twice() {
    simulate(async {
        let mut life = ahead(18, Shape::TWO_TABLES).await;
        life.finish(Accept::default()).await.unwrap();
        life.check().unwrap();
    });
}

#[test]
fn another_plugin_after_a_crash_between_two_tables_stops_until_the_former_is_back() {
    simulate(async {
        // The first process has plugin 1, the next plugin 0.
        let mut life = ahead(19, Shape::TWO_PLUGINS).await;
        let second = life.last_run(Accept::default()).await;
        stops(&second, "--accept-other-plugin");
        assert!(second.unwrap_err().message.contains("The plugins were then plugin-1, now they are plugin-0"));
        life.last_run(Accept::default()).await.unwrap();
        life.check().unwrap();
    });
}

#[test]
fn another_plugin_after_a_crash_between_two_tables_goes_on_with_a_flag() {
    simulate(async {
        let mut life = ahead(20, Shape::TWO_PLUGINS).await;
        life.accept_mixed();
        life.last_run(Accept { other_plugin: true, ..Accept::default() }).await.unwrap();
        life.check().unwrap();
    });
}

#[test]
fn a_record_that_a_table_has_rows_of_and_that_is_refused_only_now_stops_the_pipeline() {
    simulate(async {
        let mut life = ahead(21, Shape::TWO_TABLES).await;
        for log in &mut life.world.lock().broker.logs {
            log.records.values_mut().for_each(|content| *content = Content::Poison);
        }
        stops(&life.last_run(Accept::default()).await, "is refused now and was not before");
    });
}

#[test]
fn a_crash_between_the_first_commits_of_two_tables_leaves_the_beginning_where_it_was() {
    simulate(async {
        let shape = Shape { start: Start::Latest, ..Shape::TWO_TABLES };
        let mut life = Life::of_shape(22, shape, None);
        life.world.lock().faulty = false;
        life.last_run(Accept::default()).await.unwrap();
        // The primary knows where the topic begins; the others never came to it.
        (1..3).for_each(|at| life.meddle(at, |table| *table = Default::default()));
        (0..40).for_each(|_| life.produce());
        sleep(Duration::from_secs(3600)).await;
        life.finish(Accept::default()).await.unwrap();
        life.check().unwrap();
    });
}

#[test]
fn an_offset_in_any_table_beats_the_start_and_the_lowest_beats_the_others() {
    simulate(async {
        let mut life = lived(23, Shape::TWO_TABLES).await;
        // The primary is new; of the others the letters lag behind.
        life.meddle(0, |table| *table = Default::default());
        let letters = life.world.lock().catalog.tables[2].live();
        life.finish(Accept::default()).await.unwrap();
        let world = life.world.lock();
        assert!(!letters.is_empty() && letters.iter().all(|l| world.catalog.tables[2].live().contains(l)));
        let events = world.catalog.tables[1].live();
        let distinct: std::collections::BTreeSet<_> = events.iter().collect();
        assert_eq!(distinct.len(), events.len());
    });
}

#[test]
fn a_table_added_later_begins_where_the_primary_stands() {
    simulate(async {
        let mut life = lived(24, Shape::TWO_TABLES).await;
        life.finish(Accept::default()).await.unwrap();
        let before = life.world.lock().broker.logs.iter().map(|log| log.end).collect::<Vec<_>>();
        life.meddle(1, |table| *table = Default::default());
        (0..40).for_each(|_| life.produce());
        life.finish(Accept::default()).await.unwrap();
        let world = life.world.lock();
        let events = world.catalog.tables[1].live();
        assert!(!events.is_empty());
        assert!(events.iter().all(|(partition, offset, _)| *offset >= before[*partition as usize]));
    });
}

#[test]
fn a_dead_letter_of_a_topic_from_before_does_not_stand_for_a_record_of_the_new_one() {
    simulate(async {
        let mut life = lived(25, Shape::TWO_TABLES).await;
        life.finish(Accept::default()).await.unwrap();
        let refused = |life: &Life| life.world.lock().catalog.tables[2].live().len();
        let before = refused(&life);
        let made_again = {
            let mut world = life.world.lock();
            world.broker.topic_id = "id-2".into();
            let logs = world.broker.logs.iter();
            logs.flat_map(|log| log.records.values()).filter(|c| matches!(c, Content::Poison)).count()
        };
        life.finish(Accept { new_topic: true, ..Accept::default() }).await.unwrap();
        assert!(made_again > 0);
        assert!(refused(&life) >= before + made_again);
    });
}

#[test]
fn records_lost_to_retention_do_not_pull_a_table_back_that_is_ahead() {
    simulate(async {
        let mut life = ahead(26, Shape::TWO_TABLES).await;
        for log in &mut life.world.lock().broker.logs {
            log.start = log.end - 1;
        }
        life.finish(Accept { lost_records: true, ..Accept::default() }).await.unwrap();
        let events = life.world.lock().catalog.tables[1].live();
        let distinct: std::collections::BTreeSet<_> = events.iter().collect();
        assert_eq!(distinct.len(), events.len());
    });
}

#[test]
fn a_swap_between_the_commits_of_two_tables_waits_until_the_former_plugin_has_made_both() {
    simulate(async {
        // The process has plugin 1; one table is ahead of the other when it begins anew, and plugin 2 is ordered at once.
        let shape = Shape { keeps: true, ..Shape::SWAPS };
        let mut life = ahead(27, shape).await;
        life.start();
        let swapped = life.processes[0].swap(2);
        for _ in 0..60 {
            sleep(Duration::from_millis(300)).await;
            life.produce();
            life.world.lock().broker.coordinate();
        }
        assert!(swapped.await.is_ok());
        life.reap().await.unwrap();
        life.finish(Accept::default()).await.unwrap();
        life.check().unwrap();
        let made = |version| life.world.lock().catalog.tables[0].live().iter().any(|row| row.2 / 100 == version);
        assert!(made(1) && made(2));
    });
}

#[test]
fn a_swap_takes_effect_without_a_pause_or_a_rebalance() {
    simulate(async {
        let mut life = Life::of_shape(28, Shape::SWAPS, None);
        life.world.lock().faulty = false;
        life.start();
        for round in 0..60_u64 {
            sleep(Duration::from_millis(300)).await;
            life.produce();
            life.world.lock().broker.coordinate();
            if round % 4 == 3 {
                drop(life.processes[0].swap(round / 4 % 3));
            }
        }
        let stats = life.processes[0].stats.clone();
        assert!(stats.swaps.total() > 10 && stats.swap_pauses.count.get() > 10, "{stats:?}");
        assert_eq!(stats.fences.get(), 0);
        life.finish(Accept::default()).await.unwrap();
        life.check().unwrap();
    });
}

#[test]
fn a_process_that_slept_while_orphans_were_removed_commits_none_of_its_old_files() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    simulate(async {
        let mut life = Life::of_shape(23, Shape::ONE_TABLE, None);
        life.world.lock().faulty = false;
        life.start();
        for _ in 0..20 {
            sleep(Duration::from_millis(300)).await;
            life.produce();
            life.world.lock().broker.coordinate();
        }
        life.world.lock().freezes_before_swap = true;
        sleep(Duration::from_secs(10)).await;
        let rows = life.world.lock().catalog.tables[0].live().len();
        // Nobody else takes its partitions: when it wakes, its entries are still its own.
        life.world.lock().freezes_before_swap = false;
        sleep(3 * DAY).await;
        life.meddle(0, |table| table.remove_orphans(4711));
        assert!(life.world.lock().catalog.tables[0].has_removed(), "nothing was left to be removed");
        life.processes[0].ice.thaw();
        sleep(Duration::from_secs(60)).await;
        life.processes.drain(..).for_each(|p| p.kill());
        life.finish(Accept::default()).await.unwrap();
        assert!(life.world.lock().catalog.tables[0].live().len() > rows);
        life.check().unwrap();
    });
}
