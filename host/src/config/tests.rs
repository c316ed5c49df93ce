#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use super::*;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config");
const PIPELINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines");

fn variable(name: &str) -> Option<String> {
    match name {
        "BROKER" => Some("kafka:9092".into()),
        "EMPTY" => Some(String::new()),
        "PASSWORD" => Some("hunter2".into()),
        "YES" => Some("true".into()),
        _ => None,
    }
}

fn read(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("/etc/weir/token.txt") => Ok("hunter2\n".into()),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    }
}

fn around() -> Surroundings<'static> {
    Surroundings { variable: &variable, read: &read, refused_property: &refused_kafka_property }
}

fn check_text(text: &str) -> Result<Pipeline, Report> {
    check(Path::new("/etc/weir/p.toml"), text, &around())
}

/// The smallest pipeline, with `extra` behind it.
fn minimal(extra: &str) -> String {
    format!(
        "name = \"traces\"\n[source.kafka]\nbrokers = [\"k:9092\"]\ntopics = [\"t\"]\nsignal = \"traces\"\n\
         encoding = \"otlp_json\"\n[[transform]]\nplugin = \"flatten-spans\"\n[sink.iceberg]\nwarehouse = \"./lake\"\n\
         [sink.iceberg.tables.spans]\nname = \"telemetry.traces\"\n{extra}"
    )
}

#[test]
fn each_mistake_is_told_in_the_golden_words() {
    let mut files: Vec<PathBuf> = fs::read_dir(format!("{HERE}/invalid"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    assert!(files.len() > 40, "the golden files are gone");
    let mut differences = String::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let name = Path::new(path.file_name().unwrap());
        let told = match check(&Path::new("/etc/weir").join(name), &text, &around()) {
            Ok(_) => "no error\n".to_owned(),
            Err(report) => report.to_string().replace("/etc/weir/", ""),
        };
        let golden = path.with_extension("expected");
        if std::env::var_os("WEIR_BLESS").is_some() {
            fs::write(&golden, &told).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if told != expected {
            differences += &format!("--- {} told\n{told}--- expected\n{expected}\n", name.display());
        }
    }
    assert!(differences.is_empty(), "{differences}(WEIR_BLESS=1 writes the golden files anew)");
}

#[test]
fn every_shipped_pipeline_is_right_as_it_stands() {
    let nothing = Surroundings { variable: &|_| None, ..Surroundings::process() };
    for entry in fs::read_dir(PIPELINES).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml")
            && let Err(report) = load(&path, &nothing)
        {
            panic!("{report}");
        }
    }
}

/// `section.key` of every line of the reference that is TOML once its comment sign is off.
fn reference_keys(text: &str) -> BTreeSet<String> {
    fn collect(path: &str, value: &toml::Value, keys: &mut BTreeSet<String>) {
        let free = ["source.kafka.properties", "transform.config", "sink.iceberg.catalog.headers"];
        let is_free = free.contains(&path) || path.ends_with("NAME.properties");
        if let Some(table) = value.as_table().filter(|_| !is_free) {
            for (key, value) in table {
                collect(&format!("{path}.{key}"), value, keys);
            }
        }
        keys.insert(path.to_owned());
    }
    let mut keys = BTreeSet::new();
    let mut section = String::new();
    for line in text.lines() {
        let line = line.strip_prefix("#: ").or(line.strip_prefix('#')).unwrap_or(line);
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            section = header.trim_start_matches('[').replace("tables.spans", "tables.NAME");
            let parts: Vec<&str> = section.split('.').collect();
            keys.extend((1..=parts.len()).map(|length| parts[..length].join(".")));
        } else if line.starts_with(|c: char| c.is_ascii_lowercase()) {
            let table: toml::Table = line.parse().unwrap_or_else(|why| panic!("{line}: {why}"));
            for (key, value) in &table {
                collect(format!("{section}.{key}").trim_start_matches('.'), value, &mut keys);
            }
        }
    }
    keys
}

#[test]
fn the_reference_has_every_key_and_no_other() {
    let text = fs::read_to_string(format!("{PIPELINES}/reference.toml")).unwrap();
    let mut known: BTreeSet<String> = shape::ALL
        .iter()
        .flat_map(|shape| shape.keys.iter().map(|key| format!("{}.{key}", shape.section)))
        .map(|key| key.trim_start_matches('.').to_owned())
        .collect();
    known.insert("sink.iceberg.tables.NAME".into());
    assert_eq!(reference_keys(&text), known);
}

#[test]
fn the_defaults_in_the_reference_are_the_defaults() {
    let text = fs::read_to_string(format!("{PIPELINES}/reference.toml")).unwrap();
    let spelled: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert_ne!(text, spelled);
    assert_eq!(check_text(&text).unwrap(), check_text(&spelled).unwrap());
}

#[test]
fn what_is_not_written_has_the_promised_value() {
    let pipeline = check_text(&minimal("")).unwrap();
    assert_eq!(pipeline.source.group, "weir-traces");
    assert_eq!(pipeline.source.start, Start::Latest);
    assert_eq!(pipeline.sink.commit_interval, Duration::from_secs(30));
    let limits = pipeline.transforms[0].limits;
    assert_eq!((limits.memory_bytes, limits.output_bytes), (256 << 20, 64 << 20));
    assert_eq!(limits.deadline, Duration::from_secs(2));
    assert_eq!(pipeline.buffer.max_bytes, 64 << 20);
    assert_eq!((pipeline.dead_letter, pipeline.admin), (None, None));
    assert!(
        matches!(pipeline.sink.catalog, Catalog::Hadoop { warehouse } if warehouse.as_str() == "file:///etc/weir/lake")
    );
}

#[test]
fn references_are_replaced_in_every_kind_of_string() {
    let text =
        minimal("properties = { a = \"$${BROKER}\", b = \"<${EMPTY:-${NONE:-x}>\" }\n[dead_letter]\ntable = \"a.b\"")
            .replace("\"k:9092\"", "\"${BROKER}\", \"${NONE:-other:1}\"")
            .replace(
                "plugin = \"flatten-spans\"",
                "plugin = \"p\"\nconfig = { a.b = [\"${PASSWORD}\", 0x10, true], c = [] }",
            );
    let pipeline = check_text(&text).unwrap();
    assert_eq!(pipeline.source.brokers, ["kafka:9092", "other:1"]);
    let settings = &pipeline.transforms[0].settings;
    assert_eq!((settings[0].key.as_str(), settings[1].key.as_str()), ("a.b", "c"));
    assert_eq!(settings[0].values, ["hunter2", "16", "true"]);
    assert!(settings[1].values.is_empty());
    assert_eq!(pipeline.sink.tables["spans"].properties["a"], "${BROKER}");
    assert_eq!(pipeline.sink.tables["spans"].properties["b"], "<${NONE:-x>");
}

#[test]
fn no_secret_is_in_any_debug_output() {
    let text = minimal("[sink.iceberg.s3]\naccess_key_id = \"hunter2\"\nsecret_access_key = \"${PASSWORD}\"\n")
        .replace("signal =", "properties = { \"sasl.password\" = \"hunter2\" }\nsignal =")
        .replace("plugin = \"flatten-spans\"", "plugin = \"p\"\nconfig = { key = \"hunter2\" }")
        .replace("warehouse = \"./lake\"", "warehouse = \"s3://b\"");
    let text = |catalog: &str| text.replace("[sink.iceberg]\n", &format!("[sink.iceberg]\ncatalog = {catalog}\n"));
    for catalog in [
        "{ type = \"hadoop\" }",
        "{ type = \"sql\", uri = \"postgres://weir:hunter2@h/d\" }",
        "{ type = \"rest\", uri = \"http://h\", token = \"${file:token.txt}\", headers = { a = \"hunter2\" } }",
        "{ type = \"rest\", uri = \"http://h\", credential = \"id:${PASSWORD}\" }",
    ] {
        let pipeline = check_text(&text(catalog)).unwrap();
        assert!(!format!("{pipeline:?}{pipeline:#?}").contains("hunter2"), "{catalog}");
    }
    let pipeline = check_text(&text("{ type = \"rest\", uri = \"http://h\", token = \"${file:token.txt}\" }")).unwrap();
    let Catalog::Rest(RestCatalog { auth: Some(RestAuth::Token(token)), .. }) = pipeline.sink.catalog else { panic!() };
    assert_eq!(token.expose(), "hunter2");
}

#[test]
fn no_secret_is_in_any_diagnostic_wherever_the_file_breaks() {
    let secrets = minimal("[sink.iceberg.s3]\naccess_key_id = \"hunter2\"\nsecret_access_key = \"hunter2\"\n")
        .replace("signal =", "properties = { \"sasl.password\" = \"hunter2\", x = \"\"\"hunter2\nhunter2\"\"\" }\nsignal =")
        .replace("\n[sink.iceberg]\n", "\n[sink.iceberg]\ncatalog = { type = \"rest\", uri = \"http://h\", tokn = \"hunter2\", credential = \"hunter2\" }\n");
    for cut in 0..secrets.len() {
        for cut in [secrets[..cut].to_owned(), format!("{}{}", &secrets[..cut], &secrets[cut + 1..])] {
            if let Err(report) = check_text(&cut) {
                let told = format!("{report}{:?}{}", report, report.to_json());
                assert!(!told.contains("unter2") && !told.contains("hunter"), "{told}");
            }
        }
    }
}

#[test]
fn no_text_makes_the_checker_panic() {
    let reference = fs::read_to_string(format!("{PIPELINES}/reference.toml")).unwrap();
    let spelled: String = reference.lines().map(|line| line.trim_start_matches("#: ").to_owned() + "\n").collect();
    for text in [spelled.as_str(), "", "\u{feff}", "\r\n\r", "name = \"é${", "=", "[", "[[", "a.b.c.=1", "\"", "ü = ü"]
    {
        for (cut, _) in text.char_indices() {
            let _ = check_text(&text[..cut]);
            let _ = check_text(&text[cut..]);
        }
        let _ = check_text(text);
    }
}

#[test]
fn a_name_or_a_group_is_one_pipelines_alone() {
    let pipeline = |file: &str, text: &str| check(Path::new(file), text, &around()).unwrap();
    let first = pipeline("a.toml", &minimal(""));
    let same = pipeline("b.toml", &minimal(""));
    let group = pipeline(
        "c.toml",
        &minimal("")
            .replace("\"traces\"\n[source", "\"other\"\n[source")
            .replace("topics", "group = \"weir-traces\"\ntopics"),
    );
    let free = pipeline("d.toml", &minimal("").replace("\"traces\"\n[source", "\"free\"\n[source"));
    assert!(check_together(&[first.clone(), free]).is_ok());
    let report = check_together(&[first, same, group]).unwrap_err();
    let told: Vec<&str> = report.diagnostics().iter().map(|found| found.message.as_str()).collect();
    assert_eq!(
        told,
        ["the pipeline name `traces` is taken by a.toml", "the consumer group `weir-traces` is used by a.toml too"]
    );
    assert_eq!(report.diagnostics()[0].file, Path::new("b.toml"));
}

#[test]
fn a_reload_that_only_moves_lines_changes_nothing() {
    let moved = format!("# a comment\n\n{}", minimal(""));
    assert_eq!(check_text(&minimal("")).unwrap(), check_text(&moved).unwrap());
}

#[test]
fn a_machine_gets_the_same_as_a_person() {
    let report = check_text(&minimal("[admin]\nlisten = \"nowhere\"\n")).unwrap_err();
    let object = &report.to_json()[0];
    assert_eq!((object["line"].as_u64(), object["column"].as_u64()), (Some(14), Some(10)));
    assert_eq!(object["message"], "`nowhere` is not an address");
    assert_eq!(object["file"], "/etc/weir/p.toml");
    assert!(object["help"].as_str().unwrap().contains("127.0.0.1:9464"));
}

#[test]
fn a_file_that_is_not_there_is_a_diagnostic_too() {
    let report = load_all(&["/nowhere/p.toml".into()], &around()).unwrap_err();
    assert!(report.to_string().contains("cannot read the file"), "{report}");
}
