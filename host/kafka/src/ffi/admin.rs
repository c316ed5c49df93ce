//! Questions to the cluster: DescribeTopics, ListOffsets, and what the client knows already.

use std::ffi::{CString, c_char};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka_sys as sys;

use super::{Occurrence, Queue, text};
use crate::Client;
use crate::error::is_unknown_topic;

/// How long a wait lasts before it is asked whether to give up.
const SLICE: Duration = Duration::from_millis(100);

/// How long a topic must be unknown: a broker that has just started may not know its topics yet.
const UNKNOWN_BELIEVED: Duration = Duration::from_secs(2);

/// Why a question has no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unanswered {
    /// Nobody answered in time, or the caller gave up.
    Silence,
    /// The answer was an error.
    Error(Code, String),
}

/// What DescribeTopics says of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Description {
    /// `None` where the broker has no ids.
    pub(crate) topic_id: Option<String>,
    pub(crate) partitions: i32,
}

/// Which offset of a partition is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Which {
    /// The oldest.
    Earliest,
    /// The one behind the newest committed record.
    Latest,
    /// The first record that is as new as this time, milliseconds since 1970.
    Time(i64),
}

/// Asks again for a while when the answer is that there is no such topic.
pub(crate) fn believe<T>(
    give_up: &dyn Fn() -> bool,
    question: impl Fn() -> Result<T, Unanswered>,
) -> Result<T, Unanswered> {
    let began = Instant::now();
    loop {
        let answer = question();
        let is_unknown = matches!(&answer, Err(Unanswered::Error(code, _)) if is_unknown_topic(*code));
        if !is_unknown || began.elapsed() > UNKNOWN_BELIEVED || give_up() {
            return answer;
        }
        std::thread::sleep(SLICE);
    }
}

/// Asks about one topic.
pub(crate) fn describe_topic(
    client: &Arc<Client>,
    topic: &str,
    deadline: Instant,
    give_up: &dyn Fn() -> bool,
) -> Result<Description, Unanswered> {
    let name = CString::new(topic).map_err(|e| invalid(&e))?;
    let names = Names::new(&name).ok_or(Unanswered::Silence)?;
    let options = Options::new(client, sys::RDKafkaAdminOp::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, deadline)?;
    let queue = Queue::new(client).ok_or(Unanswered::Silence)?;
    let rk = client.client().native_ptr();
    // SAFETY: all four are alive; librdkafka copies what it needs.
    unsafe { sys::rd_kafka_DescribeTopics(rk, names.0.as_ptr(), options.0.as_ptr(), queue.ptr.as_ptr()) };
    let answer = wait(&queue, deadline, give_up)?;
    let mut count = 0;
    // SAFETY: the answer is alive, and what is read belongs to it; a null pointer is an answer of another kind.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(answer.ptr.as_ptr());
        if result.is_null() {
            return Err(Unanswered::Silence);
        }
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if topics.is_null() || count == 0 {
            return Err(Unanswered::Silence);
        }
        let described = *topics;
        let error = sys::rd_kafka_TopicDescription_error(described);
        let code = Code::from(sys::rd_kafka_error_code(error));
        if code != Code::NoError {
            return Err(Unanswered::Error(code, text(sys::rd_kafka_error_string(error))));
        }
        sys::rd_kafka_TopicDescription_partitions(described, &mut count);
        let topic_id = uuid(sys::rd_kafka_TopicDescription_topic_id(described));
        Ok(Description { topic_id, partitions: i32::try_from(count).unwrap_or(i32::MAX) })
    }
}

/// Asks for one offset of each of these partitions, as a reader of committed records sees them. `None`: no such record.
pub(crate) fn list_offsets(
    client: &Arc<Client>,
    topic: &str,
    partitions: &[(i32, Which)],
    deadline: Instant,
    give_up: &dyn Fn() -> bool,
) -> Result<Vec<Option<i64>>, Unanswered> {
    let mut wanted = TopicPartitionList::with_capacity(partitions.len());
    for (partition, which) in partitions {
        let offset = match which {
            Which::Earliest => Offset::Beginning,
            Which::Latest => Offset::End,
            Which::Time(ms) => Offset::Offset((*ms).max(0)),
        };
        wanted.add_partition_offset(topic, *partition, offset).map_err(|e| invalid(&e))?;
    }
    let options = Options::new(client, sys::RDKafkaAdminOp::RD_KAFKA_ADMIN_OP_LISTOFFSETS, deadline)?;
    let committed = sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED;
    let queue = Queue::new(client).ok_or(Unanswered::Silence)?;
    // SAFETY: all are alive; librdkafka copies what it needs; an error object is ours to destroy.
    unsafe {
        let error = sys::rd_kafka_AdminOptions_set_isolation_level(options.0.as_ptr(), committed);
        if !error.is_null() {
            sys::rd_kafka_error_destroy(error);
        }
        let rk = client.client().native_ptr();
        sys::rd_kafka_ListOffsets(rk, wanted.ptr(), options.0.as_ptr(), queue.ptr.as_ptr());
    }
    let answer = wait(&queue, deadline, give_up)?;
    let mut found = vec![None; partitions.len()];
    let mut answered = 0;
    // SAFETY: the answer is alive, and what is read belongs to it.
    unsafe {
        let result = sys::rd_kafka_event_ListOffsets_result(answer.ptr.as_ptr());
        if result.is_null() {
            return Err(Unanswered::Silence);
        }
        let mut count = 0;
        let infos = sys::rd_kafka_ListOffsets_result_infos(result, &mut count);
        let infos = if infos.is_null() { &[] } else { slice::from_raw_parts(infos, count) };
        for info in infos {
            let Some(partition) = sys::rd_kafka_ListOffsetsResultInfo_topic_partition(*info).as_ref() else { continue };
            let code = Code::from(partition.err);
            if code != Code::NoError {
                return Err(Unanswered::Error(code, text(sys::rd_kafka_err2str(partition.err))));
            }
            if let Some(i) = partitions.iter().position(|(p, _)| *p == partition.partition) {
                found[i] = (partition.offset >= 0).then_some(partition.offset);
                answered += 1;
            }
        }
    }
    if answered < partitions.len() { Err(Unanswered::Silence) } else { Ok(found) }
}

/// The cluster's id, once any broker has told it.
pub(crate) fn cluster_id(client: &Client, timeout: Duration) -> Option<String> {
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let rk = client.client().native_ptr();
    // SAFETY: the client is alive; the string is ours and is given back to the library that made it.
    unsafe {
        let id = NonNull::new(sys::rd_kafka_clusterid(rk, timeout_ms))?;
        let copy = text(id.as_ptr());
        sys::rd_kafka_mem_free(rk, id.as_ptr().cast());
        Some(copy)
    }
}

/// The end of a partition as the last fetch saw it, open transactions included. Asks nobody.
pub(crate) fn seen_end(client: &Client, topic: &str, partition: i32) -> Option<i64> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: client and name are alive, and the two numbers are written before they are read.
    let code = unsafe {
        let rk = client.client().native_ptr();
        sys::rd_kafka_get_watermark_offsets(rk, topic.as_ptr(), partition, &mut low, &mut high)
    };
    (Code::from(code) == Code::NoError && high >= 0).then_some(high)
}

/// Waits for the one answer that comes on a queue.
fn wait(queue: &Queue, deadline: Instant, give_up: &dyn Fn() -> bool) -> Result<Occurrence, Unanswered> {
    loop {
        if let Some(answer) = queue.poll(SLICE) {
            // SAFETY: the event is alive.
            let (code, reason) = unsafe {
                let event = answer.ptr.as_ptr();
                (Code::from(sys::rd_kafka_event_error(event)), text(sys::rd_kafka_event_error_string(event)))
            };
            return match code {
                Code::NoError => Ok(answer),
                Code::OperationTimedOut | Code::BrokerTransportFailure | Code::TimedOutQueue => {
                    Err(Unanswered::Silence)
                }
                code => Err(Unanswered::Error(code, reason)),
            };
        }
        if Instant::now() >= deadline || give_up() {
            return Err(Unanswered::Silence);
        }
    }
}

/// # Safety
/// The id is null or alive.
unsafe fn uuid(id: *const sys::rd_kafka_Uuid_t) -> Option<String> {
    // SAFETY: by the caller; the string belongs to the id and is copied.
    unsafe {
        let zero = id.is_null()
            || (sys::rd_kafka_Uuid_most_significant_bits(id) == 0
                && sys::rd_kafka_Uuid_least_significant_bits(id) == 0);
        (!zero).then(|| weir_pipeline::source::topic_id(&text(sys::rd_kafka_Uuid_base64str(id))))
    }
}

fn invalid(e: &dyn std::fmt::Display) -> Unanswered {
    Unanswered::Error(Code::InvalidArgument, e.to_string())
}

/// Owned options of one question.
struct Options(NonNull<sys::rd_kafka_AdminOptions_t>);

impl Options {
    fn new(client: &Client, question: sys::RDKafkaAdminOp, deadline: Instant) -> Result<Self, Unanswered> {
        let rk = client.client().native_ptr();
        // SAFETY: the client is alive; the options are ours.
        let options = NonNull::new(unsafe { sys::rd_kafka_AdminOptions_new(rk, question) });
        let options = Self(options.ok_or(Unanswered::Silence)?);
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        let timeout_ms = i32::try_from(left).unwrap_or(i32::MAX).max(1);
        // SAFETY: the options are alive; without a buffer no message is written.
        unsafe { sys::rd_kafka_AdminOptions_set_request_timeout(options.0.as_ptr(), timeout_ms, ptr::null_mut(), 0) };
        Ok(options)
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { sys::rd_kafka_AdminOptions_destroy(self.0.as_ptr()) }
    }
}

/// An owned list of one topic's name.
struct Names(NonNull<sys::rd_kafka_TopicCollection_t>);

impl Names {
    fn new(topic: &std::ffi::CStr) -> Option<Self> {
        let mut names: [*const c_char; 1] = [topic.as_ptr()];
        // SAFETY: one name, which is copied.
        NonNull::new(unsafe { sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1) }).map(Self)
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { sys::rd_kafka_TopicCollection_destroy(self.0.as_ptr()) }
    }
}
