//! Which keys a file may have: the one list behind unknown keys, their suggestions and the reference.

/// A table of the file and its keys. `NAME` stands for a name of the user's choice.
pub(super) struct Shape {
    /// As in the header, `source.kafka`; empty for the file itself.
    pub(super) section: &'static str,
    /// Its keys, in the reference's order. Empty where any key is welcome.
    pub(super) keys: &'static [&'static str],
}

pub(super) const ROOT: Shape = Shape {
    section: "",
    keys: &["name", "require_pinned", "source", "transform", "sink", "dead_letter", "buffer", "maintenance", "admin"],
};
pub(super) const SOURCE: Shape = Shape { section: "source", keys: &["kafka"] };
pub(super) const KAFKA: Shape = Shape {
    section: "source.kafka",
    keys: &["brokers", "topics", "group", "signal", "encoding", "start", "properties"],
};
pub(super) const TRANSFORM: Shape = Shape {
    section: "transform",
    keys: &["plugin", "sha256", "config", "limits", "canary", "may_drop_columns", "shadow", "shadow_sha256"],
};
pub(super) const LIMITS: Shape = Shape { section: "transform.limits", keys: &["memory", "deadline", "output"] };
pub(super) const SINK: Shape = Shape { section: "sink", keys: &["iceberg"] };
pub(super) const ICEBERG: Shape =
    Shape { section: "sink.iceberg", keys: &["catalog", "warehouse", "commit_interval", "s3", "tables"] };
pub(super) const CATALOG: Shape = Shape {
    section: "sink.iceberg.catalog",
    keys: &["type", "uri", "name", "token", "credential", "scope", "oauth2_server_uri", "headers"],
};
pub(super) const S3: Shape = Shape {
    section: "sink.iceberg.s3",
    keys: &["endpoint", "region", "path_style", "access_key_id", "secret_access_key"],
};
pub(super) const TABLE: Shape =
    Shape { section: "sink.iceberg.tables.NAME", keys: &["name", "partition_by", "sort_by", "properties"] };
pub(super) const DEAD_LETTER: Shape = Shape { section: "dead_letter", keys: &["table", "max_rejected"] };
pub(super) const BUFFER: Shape = Shape { section: "buffer", keys: &["path", "max"] };
pub(super) const MAINTENANCE: Shape = Shape { section: "maintenance", keys: &["every", "compact", "expire", "cpu"] };
pub(super) const ADMIN: Shape = Shape { section: "admin", keys: &["listen", "remote_swaps"] };

/// Every shape.
pub(super) const ALL: &[&Shape] = &[
    &ROOT,
    &SOURCE,
    &KAFKA,
    &TRANSFORM,
    &LIMITS,
    &SINK,
    &ICEBERG,
    &CATALOG,
    &S3,
    &TABLE,
    &DEAD_LETTER,
    &BUFFER,
    &MAINTENANCE,
    &ADMIN,
];

/// Whether a diagnostic may show the value of `key` in the table at `path`. Unknown keys are hidden, so that a
/// misspelt `token` is too.
pub(super) fn is_public(path: &[&str], key: &str) -> bool {
    match (path, key) {
        (["sink", "iceberg", "tables", _, "properties"], _) => true,
        (["source", "kafka"], "properties") => false,
        (_, "token" | "credential" | "headers" | "access_key_id" | "secret_access_key" | "config") => false,
        (["sink", "iceberg", "tables"], _) => true,
        (_, key) => ALL.iter().any(|shape| shape.keys.contains(&key)),
    }
}

/// What a key's value looks like, where it is not plain text.
pub(super) fn example(key: &str) -> &'static str {
    match key {
        "brokers" => "[\"localhost:9092\"]",
        "topics" => "[\"otel-traces-lake\"]",
        "partition_by" => "[\"day(timestamp)\"]",
        "sort_by" => "[\"timestamp desc\"]",
        "commit_interval" | "deadline" => "\"30s\"",
        "memory" | "output" | "max" => "\"64MiB\"",
        "max_rejected" => "\"50%\"",
        "listen" => "\"127.0.0.1:9464\"",
        "path_style" | "remote_swaps" | "require_pinned" | "may_drop_columns" => "true",
        "canary" => "3",
        _ => "\"…\"",
    }
}

/// The key of `shape` that `key` was probably meant to be.
pub(super) fn nearest(shape: &Shape, key: &str) -> Option<&'static str> {
    let key = key.to_ascii_lowercase();
    let distances = shape.keys.iter().map(|known| (strsim::osa_distance(known, &key), *known));
    let (distance, known) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + known.len() / 4).then_some(known)
}

/// What to write instead of a key that `shape` does not have.
pub(super) fn suggestion(shape: &Shape, key: &str) -> String {
    if let Some(known) = nearest(shape, key) {
        return format!("did you mean `{known}`?");
    }
    if let Some(home) = ALL.iter().find(|other| other.keys.contains(&key)) {
        let place = if home.section.is_empty() { "at the top of the file".into() } else { in_section(home.section) };
        return format!("`{key}` belongs {place}");
    }
    format!("the keys here are {}", shape.keys.join(", "))
}

/// `in [section]`, as messages put it.
pub(super) fn in_section(section: &str) -> String {
    match section {
        "transform" => "in [[transform]]".to_owned(),
        "transform.limits" => "in `limits` of [[transform]]".to_owned(),
        section => format!("in [{section}]"),
    }
}
