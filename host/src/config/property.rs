//! The librdkafka properties that a pipeline may not set, because exactly once rests on them.

/// Why `[source.kafka.properties]` may not hold a property; `None` where it may.
///
/// Where Weir itself decides (offsets, isolation, assignment) there is no second opinion; where a key of its own
/// exists (brokers, group) there is one place to look.
pub fn refused_kafka_property(name: &str) -> Option<String> {
    let reason = match name {
        "bootstrap.servers" | "metadata.broker.list" => "write `brokers` in [source.kafka]",
        "group.id" => "write `group` in [source.kafka]",
        "auto.offset.reset" => "write `start` in [source.kafka]; a lost offset is an error, never a jump",
        "enable.auto.commit" | "auto.commit.interval.ms" | "enable.auto.offset.store" => {
            "offsets live in the table; the group's are acknowledged after each commit"
        }
        "isolation.level" => "weir reads committed records only",
        "partition.assignment.strategy" | "group.protocol" => "weir hands partitions over cooperatively",
        "enable.partition.eof" => "weir needs the ends of partitions to know how far it has read",
        _ => return None,
    };
    Some(reason.to_owned())
}
