//! From the file's tables to a pipeline. Each reader goes through all of its keys before it gives up, so that the
//! report is whole.

mod catalog;
mod sink;
mod source;
mod transform;

use std::time::Duration;

use toml::de::DeTable;

use super::document::Document;
use super::flaw::Flaw;
use super::location::absolute;
use super::pipeline::{
    Admin, Buffer, Compaction, DeadLetter, Expiry, Maintenance, Origin, Percent, Pipeline, TableName,
};
use super::quantity;
use super::section::Section;
use super::shape;

/// The whole file. `None` only where the document has noted why.
pub(super) fn pipeline<'a>(document: &'a Document<'a>, root: &'a DeTable<'a>) -> Option<Pipeline> {
    let root = Section::root(document, root, &shape::ROOT);
    let name = root.need("name", "write name = \"traces\": it says whose offsets these are, so never change it");
    let origin = origin(document, name.as_ref().map_or(0..0, |item| item.key_span.start..item.span.end));
    let name = name.and_then(|item| item.parse(pipeline_name));
    let source = nested(&root, "source", &shape::SOURCE, "kafka", &shape::KAFKA)
        .and_then(|section| source::kafka(&section, name.as_deref()));
    let transforms = transform::transforms(&root);
    let require_pinned = root.get("require_pinned").map_or(Some(false), |item| item.boolean());
    let iceberg = nested(&root, "sink", &shape::SINK, "iceberg", &shape::ICEBERG);
    let sink = iceberg.and_then(|section| sink::iceberg(&section));
    let letters = root.section("dead_letter", &shape::DEAD_LETTER);
    let dead_letter = letters.map(|section| dead_letter(&section));
    let buffer = buffer(&root);
    let maintenance = maintenance(&root);
    let admin = root.section("admin", &shape::ADMIN).map(|section| admin(&section));
    let (sink, dead_letter) = (sink?, dead_letter.map_or(Some(None), |letter| letter.map(Some))?);
    if let Some(letter) = &dead_letter
        && sink.tables.values().any(|table| table.name == letter.table)
        && let Some(item) = letters.and_then(|section| section.get("table"))
    {
        item.flaw(Flaw::new(
            format!("`{}` is a data table too", letter.table),
            "give dead letters a table of their own: \"telemetry.dead_letters\"",
        ));
    }
    let admin = admin.map_or(Some(None), |admin| admin.map(Some))?;
    let maintenance = maintenance?;
    Some(Pipeline {
        name: name?,
        source: source?,
        transforms: transforms?,
        require_pinned: require_pinned?,
        sink,
        dead_letter,
        buffer,
        maintenance,
        admin,
        origin,
    })
}

/// `[outer.inner]`, which must be there.
fn nested<'a>(
    root: &Section<'a>,
    outer: &str,
    outer_shape: &'static shape::Shape,
    inner: &str,
    inner_shape: &'static shape::Shape,
) -> Option<Section<'a>> {
    let help = format!("add a section [{outer}.{inner}]");
    let outer = match root.get(outer) {
        Some(item) => Section::open(item, outer_shape)?,
        None => {
            root.document.missing(&root.span(), Flaw::new(format!("[{outer}.{inner}] is missing"), help));
            return None;
        }
    };
    Section::open(outer.need(inner, &help)?, inner_shape)
}

fn origin(document: &Document<'_>, span: std::ops::Range<usize>) -> Origin {
    Origin { file: document.file().to_owned(), excerpt: document.excerpt(&span) }
}

/// The name stands in table properties and file names.
fn pipeline_name(text: &str) -> Result<String, Flaw> {
    let is_name = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= 64
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if is_name {
        Ok(text.to_owned())
    } else {
        Err(Flaw::new(
            format!("`{text}` is no name for a pipeline"),
            "write up to 64 letters, digits, - and _, a letter or digit first",
        ))
    }
}

/// `namespace.table`, of plain names.
pub(super) fn table_name(text: &str) -> Result<TableName, Flaw> {
    const HELP: &str = "write namespace.table: \"telemetry.traces\"";
    let is_part =
        |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let parts: Vec<&str> = text.split('.').collect();
    match parts.split_last() {
        Some((table, namespace)) if !namespace.is_empty() && parts.iter().all(is_part) => {
            Ok(TableName::new(namespace.iter().map(|part| (*part).to_owned()).collect(), (*table).to_owned()))
        }
        Some((_, [])) => Err(Flaw::new(format!("`{text}` has no namespace"), HELP)),
        _ => Err(Flaw::new(
            format!("`{text}` is not a table's name"),
            "write namespace.table of letters, digits, _ and -: \"telemetry.traces\"",
        )),
    }
}

fn dead_letter(section: &Section<'_>) -> Option<DeadLetter> {
    /// More than half of an epoch's records refused says that plugin or encoding is wrong, not the records.
    const MAX_REJECTED: Option<Percent> = Percent::new(50);
    let max_rejected = section.parse("max_rejected", quantity::percent).or(MAX_REJECTED);
    let table = section.need("table", "write table = \"telemetry.dead_letters\"");
    Some(DeadLetter { table: table?.parse(table_name)?, max_rejected: max_rejected? })
}

fn buffer(root: &Section<'_>) -> Buffer {
    /// A commit interval of spans from a busy core fits several times over.
    const MAX_BYTES: u64 = 64 << 20;
    let section = root.section("buffer", &shape::BUFFER);
    let path = section.and_then(|section| section.get("path")).and_then(|item| {
        item.parse(|text| match text {
            "" => Err(Flaw::new("the path is empty", "write a folder for temporary files: \"/var/tmp/weir\"")),
            text => Ok(absolute(root.document.folder(), text)),
        })
    });
    let max = section.and_then(|section| section.parse("max", |text| quantity::size_within(text, "16MiB"..="1024GiB")));
    Buffer { path, max_bytes: max.unwrap_or(MAX_BYTES) }
}

/// `None` only where the document has noted why.
fn maintenance(root: &Section<'_>) -> Option<Maintenance> {
    /// Commits make few files in less, and a look costs a read of all manifests.
    const EVERY: Duration = Duration::from_secs(3600);
    /// What ingestion does not miss on a machine that is half busy.
    const CPU: Option<Percent> = Percent::new(25);
    let default = |cpu| Maintenance { every: EVERY, compact: None, expire: Expiry::Own, cpu };
    let Some(section) = root.section("maintenance", &shape::MAINTENANCE) else { return CPU.map(default) };
    let every = section.get("every").map(|item| item.parse(|text| quantity::duration_within(text, "1s"..="30d")));
    let compact = section.get("compact").map(|item| {
        item.parse(|text| match text {
            "off" => Ok(None),
            "binpack" => Ok(Some(Compaction::Binpack)),
            "sort" => Ok(Some(Compaction::Sort)),
            _ => Err(Flaw::new(format!("`{text}` is no way to compact"), "write \"off\", \"binpack\" or \"sort\"")),
        })
    });
    let expire = section.get("expire").map(|item| {
        item.parse(|text| match text {
            "off" => Ok(Expiry::Off),
            "own" => Ok(Expiry::Own),
            "all" => Ok(Expiry::All),
            _ => {
                let help = "write \"own\" for the tables that the pipeline has made, \"all\" or \"off\"";
                Err(Flaw::new(format!("`{text}` does not say whose snapshots expire"), help))
            }
        })
    });
    let cpu = section.get("cpu").map(|item| {
        item.parse(|text| match quantity::percent(text)? {
            none if none.get() == 0 => Err(Flaw::new("no time is left to compact", "write 1% to 100%: \"25%\"")),
            share => Ok(share),
        })
    });
    Some(Maintenance {
        every: every.unwrap_or(Some(EVERY))?,
        compact: compact.unwrap_or(Some(None))?,
        expire: expire.unwrap_or(Some(Expiry::Own))?,
        cpu: cpu.unwrap_or(CPU)?,
    })
}

fn admin(section: &Section<'_>) -> Option<Admin> {
    let listen = section.need("listen", "write listen = \"127.0.0.1:9464\"")?;
    let listen = listen.parse(|text| {
        text.parse().map_err(|_| {
            let help = "write an IP address and a port: \"127.0.0.1:9464\", or \"0.0.0.0:9464\" for all interfaces";
            Flaw::new(format!("`{text}` is not an address"), help)
        })
    });
    let remote_swaps = section.get("remote_swaps").map_or(Some(false), |item| item.boolean());
    Some(Admin { listen: listen?, remote_swaps: remote_swaps? })
}
