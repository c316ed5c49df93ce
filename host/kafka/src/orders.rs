//! What the loop and the poll thread tell each other beside events.
//!
//! Nothing here blocks: an order replaces the one before it for the same partition, so that the mailbox is bounded by
//! the partitions and the loop may give orders while the thread waits for the loop.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use weir_pipeline::batch::{Generation, TopicPartition};

use crate::error::KafkaError;

/// What is to become of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// Deliver from an offset on.
    Seek(i64, Generation),
    /// Deliver nothing.
    Pause,
}

/// The mailbox between a source and its thread.
#[derive(Debug)]
pub(crate) struct Shared {
    orders: Mutex<BTreeMap<TopicPartition, Order>>,
    /// Up to where each partition is in the tables, as far as is known here.
    positions: Mutex<BTreeMap<TopicPartition, i64>>,
    /// The newest failure that librdkafka is trying to get over.
    trouble: Mutex<Option<String>>,
    /// Why no question to the cluster can be answered.
    refusal: Mutex<Option<KafkaError>>,
    closing: AtomicBool,
    closed: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            orders: Mutex::default(),
            positions: Mutex::default(),
            trouble: Mutex::default(),
            refusal: Mutex::default(),
            closing: AtomicBool::new(false),
            closed: watch::Sender::new(false),
        }
    }

    pub(crate) fn order(&self, partition: &TopicPartition, order: Order) {
        locked(&self.orders).insert(partition.clone(), order);
    }

    /// Puts back an order that could not be obeyed yet, unless there is a newer one.
    pub(crate) fn order_again(&self, partition: &TopicPartition, order: Order) {
        locked(&self.orders).entry(partition.clone()).or_insert(order);
    }

    pub(crate) fn take_orders(&self) -> BTreeMap<TopicPartition, Order> {
        std::mem::take(&mut *locked(&self.orders))
    }

    pub(crate) fn put_position(&self, partition: &TopicPartition, next: i64) {
        locked(&self.positions).insert(partition.clone(), next);
    }

    /// Moves the positions of partitions that are held; others have been given away meanwhile.
    pub(crate) fn move_positions(&self, next: &BTreeMap<TopicPartition, i64>) {
        let mut positions = locked(&self.positions);
        for (partition, offset) in next {
            if let Some(position) = positions.get_mut(partition) {
                *position = *offset;
            }
        }
    }

    pub(crate) fn positions(&self) -> BTreeMap<TopicPartition, i64> {
        locked(&self.positions).clone()
    }

    /// Forgets partitions that are no longer held, and orders that were given for them.
    pub(crate) fn forget(&self, partitions: &[TopicPartition]) {
        let (mut orders, mut positions) = (locked(&self.orders), locked(&self.positions));
        for partition in partitions {
            orders.remove(partition);
            positions.remove(partition);
        }
    }

    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        *locked(&self.trouble) = trouble;
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        locked(&self.trouble).clone()
    }

    pub(crate) fn refuse(&self, why: KafkaError) {
        *locked(&self.refusal) = Some(why);
    }

    pub(crate) fn refusal(&self) -> Option<KafkaError> {
        locked(&self.refusal).clone()
    }

    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn set_closed(&self) {
        self.closed.send_replace(true);
    }

    pub(crate) fn closed(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }
}

/// A panic while one of these is held leaves a whole value behind: each is written in one go.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
