//! Calls into librdkafka that the crate rdkafka does not wrap, made safe.
//!
//! rdkafka drops the offset, and the topic, of an end of partition, cannot forward a partition's queue, and has
//! neither DescribeTopics (the only way to a topic's id) nor ListOffsets (the only way to the end at
//! `read_committed`).
//!
//! # Why this is sound
//! - Every pointer comes from librdkafka itself and is checked for null. A [`Queue`] holds an `Arc` of the client that
//!   it belongs to, so it is destroyed before the client is; its own pointer never leaves it.
//! - librdkafka's functions on clients and queues are safe to call from any thread (`rdkafka.h`, "Thread-safe"), which
//!   is why a `Queue` is `Send`. An [`Occurrence`] is neither `Send` nor shared: it is made, read and dropped in one
//!   place.
//! - What an `Occurrence` lends (names, keys, values) lives in the event that it owns and destroys on drop; the
//!   lifetimes of the references are bound to a borrow of it, and all that is kept is copied.
//! - Strings that are handed over are made here as `CString`s that outlive the call; librdkafka copies them.
//! - Error codes cross as the Rust enum that bindgen made of the header of the very version that is compiled in.
#![allow(unsafe_code)]

pub(crate) mod admin;
#[cfg(test)]
pub(crate) mod mock;

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::consumer::Consumer;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka_sys as sys;

use crate::Client;
use crate::assembly::Incoming;

/// A queue of a client's events.
pub(crate) struct Queue {
    ptr: NonNull<sys::rd_kafka_queue_t>,
    client: Arc<Client>,
}

// SAFETY: see the module's second point.
unsafe impl Send for Queue {}

impl Queue {
    /// A new, empty queue.
    pub(crate) fn new(client: &Arc<Client>) -> Option<Self> {
        // SAFETY: the client is alive, and the queue is ours to destroy.
        Self::of(client, unsafe { sys::rd_kafka_queue_new(client.client().native_ptr()) })
    }

    /// The queue of the group's events, of global errors and of log lines.
    pub(crate) fn of_group(client: &Arc<Client>) -> Option<Self> {
        // SAFETY: the client is alive; what comes back is a reference of our own.
        Self::of(client, unsafe { sys::rd_kafka_queue_get_consumer(client.client().native_ptr()) })
    }

    fn of(client: &Arc<Client>, ptr: *mut sys::rd_kafka_queue_t) -> Option<Self> {
        NonNull::new(ptr).map(|ptr| Self { ptr, client: Arc::clone(client) })
    }

    /// Has what is fetched of a partition come here. To be called before each assignment of it: librdkafka undoes it
    /// when a partition is given back.
    pub(crate) fn receive_partition(&self, topic: &str, partition: i32) -> bool {
        let Ok(topic) = CString::new(topic) else { return false };
        let rk = self.client.client().native_ptr();
        // SAFETY: client, name and both queues are alive during the calls; our reference is given back.
        unsafe {
            let source = sys::rd_kafka_queue_get_partition(rk, topic.as_ptr(), partition);
            if source.is_null() {
                return false;
            }
            sys::rd_kafka_queue_forward(source, self.ptr.as_ptr());
            sys::rd_kafka_queue_destroy(source);
        }
        true
    }

    /// The next event, waiting at most so long for it.
    pub(crate) fn poll(&self, timeout: Duration) -> Option<Occurrence> {
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive; the event is ours.
        NonNull::new(unsafe { sys::rd_kafka_queue_poll(self.ptr.as_ptr(), timeout_ms) }).map(|ptr| Occurrence { ptr })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: our own reference, dropped once, while the client is alive.
        unsafe { sys::rd_kafka_queue_destroy(self.ptr.as_ptr()) }
    }
}

/// An event that librdkafka reported.
pub(crate) struct Occurrence {
    ptr: NonNull<sys::rd_kafka_event_t>,
}

/// What an [`Occurrence`] says.
pub(crate) enum Report<'a> {
    /// A record of a partition.
    Record(RawRecord<'a>),
    /// The end of a partition, for now: the next offset there will be this one, or one behind it.
    End { topic: String, partition: i32, offset: i64 },
    /// The group gives partitions.
    Assign(Vec<(String, i32)>),
    /// The group takes partitions.
    Revoke(Vec<(String, i32)>),
    /// Something failed.
    Failure(Failure),
    /// An ack was answered.
    Acked(Option<Code>),
    /// A line of librdkafka's log.
    Log { facility: String, line: String },
    /// Nothing of interest.
    Other,
}

/// Something that failed in librdkafka.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    /// Whether librdkafka has given up for good.
    pub(crate) fatal: bool,
    pub(crate) reason: String,
    /// Topic, partition and offset, where it is about one.
    pub(crate) at: Option<(String, i32, i64)>,
}

impl Occurrence {
    /// What it says. A record can be had once.
    pub(crate) fn report(&mut self) -> Report<'_> {
        let event = self.ptr.as_ptr();
        // SAFETY: the event is alive for as long as `self` is, and each accessor below fits the type that is matched.
        unsafe {
            match sys::rd_kafka_event_type(event) {
                sys::RD_KAFKA_EVENT_FETCH => match sys::rd_kafka_event_message_next(event).as_ref() {
                    Some(message) => Report::Record(RawRecord { message }),
                    None => Report::Other,
                },
                sys::RD_KAFKA_EVENT_ERROR => failure(event),
                sys::RD_KAFKA_EVENT_REBALANCE => {
                    let partitions = list(sys::rd_kafka_event_topic_partition_list(event));
                    match sys::rd_kafka_event_error(event) {
                        sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Report::Assign(partitions),
                        _ => Report::Revoke(partitions),
                    }
                }
                sys::RD_KAFKA_EVENT_OFFSET_COMMIT => {
                    let code = Code::from(sys::rd_kafka_event_error(event));
                    Report::Acked((code != Code::NoError).then_some(code))
                }
                sys::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
                    sys::rd_kafka_event_log(event, &mut facility, &mut line, &mut level);
                    Report::Log { facility: text(facility), line: text(line) }
                }
                _ => Report::Other,
            }
        }
    }
}

impl Drop for Occurrence {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once; what it lent is bound to a borrow that has ended.
        unsafe { sys::rd_kafka_event_destroy(self.ptr.as_ptr()) }
    }
}

/// A record in librdkafka's memory.
pub(crate) struct RawRecord<'a> {
    message: &'a sys::rd_kafka_message_t,
}

impl<'a> RawRecord<'a> {
    /// Its topic. Kafka allows ASCII only.
    pub(crate) fn topic(&self) -> &'a str {
        // SAFETY: a fetched message has a topic object, which the message keeps alive.
        unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(self.message.rkt)) }.to_str().unwrap_or_default()
    }

    /// Its partition.
    pub(crate) fn partition(&self) -> i32 {
        self.message.partition
    }

    /// Its contents: key and value are lent, headers copied.
    pub(crate) fn contents(&self) -> Incoming<'a> {
        let m = self.message;
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive; pointer and length describe memory that it owns.
        unsafe {
            let timestamp = sys::rd_kafka_message_timestamp(m, &mut kind);
            Incoming {
                offset: m.offset,
                timestamp_ms: (timestamp >= 0).then_some(timestamp),
                key: bytes(m.key, m.key_len),
                value: bytes(m.payload, m.len),
                headers: headers(m),
            }
        }
    }
}

/// # Safety
/// The message is alive.
unsafe fn headers(message: &sys::rd_kafka_message_t) -> Vec<(String, Option<Bytes>)> {
    let mut native = ptr::null_mut();
    // SAFETY: the headers belong to the message; an index behind the last ends the walk with an error code.
    unsafe {
        if Code::from(sys::rd_kafka_message_headers(message, &mut native)) != Code::NoError || native.is_null() {
            return Vec::new();
        }
        (0..sys::rd_kafka_header_cnt(native))
            .map_while(|index| {
                let (mut name, mut value, mut len) = (ptr::null(), ptr::null(), 0);
                let code = sys::rd_kafka_header_get_all(native, index, &mut name, &mut value, &mut len);
                (Code::from(code) == Code::NoError).then(|| (text(name), bytes(value, len).map(Bytes::copy_from_slice)))
            })
            .collect()
    }
}

/// # Safety
/// `len` bytes at `data` stay unchanged for `'a`, or `data` is null.
unsafe fn bytes<'a>(data: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: by the caller.
    (!data.is_null()).then(|| unsafe { slice::from_raw_parts(data.cast(), len) })
}

/// # Safety
/// `data` is null or ends in a zero byte.
unsafe fn text(data: *const c_char) -> String {
    if data.is_null() {
        return String::new();
    }
    // SAFETY: by the caller.
    unsafe { CStr::from_ptr(data) }.to_string_lossy().trim().to_owned()
}

/// # Safety
/// The list is null or alive.
unsafe fn list(partitions: *const sys::rd_kafka_topic_partition_list_t) -> Vec<(String, i32)> {
    // SAFETY: `cnt` elements are at `elems`, each with a name.
    unsafe {
        let Some(list) = partitions.as_ref() else { return Vec::new() };
        (0..usize::try_from(list.cnt).unwrap_or(0))
            .filter_map(|i| list.elems.add(i).as_ref())
            .map(|e| (text(e.topic), e.partition))
            .collect()
    }
}

/// # Safety
/// The event is alive and reports an error.
unsafe fn failure(event: *mut sys::rd_kafka_event_t) -> Report<'static> {
    // SAFETY: by the caller; the partition is a copy of our own.
    unsafe {
        let code = Code::from(sys::rd_kafka_event_error(event));
        let partition = sys::rd_kafka_event_topic_partition(event);
        let at = partition.as_ref().map(|p| (text(p.topic), p.partition, p.offset));
        if !partition.is_null() {
            sys::rd_kafka_topic_partition_destroy(partition);
        }
        match (code, at) {
            (Code::PartitionEOF, Some((topic, partition, offset))) => Report::End { topic, partition, offset },
            (Code::PartitionEOF, None) => Report::Other,
            (code, at) => Report::Failure(Failure {
                code,
                fatal: sys::rd_kafka_event_error_is_fatal(event) != 0,
                reason: text(sys::rd_kafka_event_error_string(event)),
                at,
            }),
        }
    }
}
