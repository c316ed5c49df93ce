//! `[[transform]]`.

use std::time::Duration;

use toml::de::DeValue;

use crate::config::flaw::Flaw;
use crate::config::location::absolute;
use crate::config::pin::{Pin, sha256};
use crate::config::pipeline::{Limits, PluginRef, Setting, Transform};
use crate::config::quantity;
use crate::config::read::origin;
use crate::config::section::{Item, Section};
use crate::config::shape;

/// A batch of some thousand spans needs a tenth of each; the rest is room for large records.
const DEFAULT_LIMITS: Limits =
    Limits { memory_bytes: 256 << 20, deadline: Duration::from_secs(2), output_bytes: 64 << 20 };

/// A plugin that is wrong for the data shows it in its first thousands of records.
const DEFAULT_CANARY: u32 = 3;
/// Beyond this it is a shadow that is wanted.
const CANARY_MAX: u32 = 10_000;

pub(super) fn transforms(root: &Section<'_>) -> Option<Vec<Transform>> {
    let help = "add a section [[transform]] with plugin = \"flatten-spans\"";
    let Some(item) = root.get("transform") else {
        root.document.missing(&root.span(), Flaw::new("[[transform]] is missing", help));
        return None;
    };
    if let DeValue::Table(_) = item.value {
        item.flaw(Flaw::new("transforms are a list", "write [[transform]], with two brackets"));
        return None;
    }
    let elements = item.elements("an array of tables")?;
    if elements.is_empty() {
        item.flaw(Flaw::new("`transform` is empty", help));
        return None;
    }
    let count = elements.len();
    let transforms: Vec<Transform> =
        elements.into_iter().filter_map(|element| transform(&Section::open(element, &shape::TRANSFORM)?)).collect();
    (transforms.len() == count).then_some(transforms)
}

fn transform(section: &Section<'_>) -> Option<Transform> {
    let plugin = section.need("plugin", "write plugin = \"flatten-spans\", or the path of a .wasm file");
    let plugin_pin = pin(section, "sha256", plugin.as_ref());
    let plugin = plugin.and_then(|item| item.parse(|text| plugin_ref(section, text)));
    let settings = match section.get("config") {
        Some(item) => settings(&item),
        None => Some(Vec::new()),
    };
    let limits = match section.get("limits") {
        Some(item) => Section::open(item, &shape::LIMITS).map(|section| limits(&section)),
        None => Some(DEFAULT_LIMITS),
    };
    let origin = origin(section.document, section.span());
    let canary = match section.get("canary") {
        Some(item) => item.number(0..=CANARY_MAX),
        None => Some(DEFAULT_CANARY),
    };
    let may_drop_columns = section.get("may_drop_columns").map_or(Some(false), |item| item.boolean());
    let shadow = section.get("shadow");
    let shadow_pin = pin(section, "shadow_sha256", shadow.as_ref());
    if let (None, Some(item)) = (&shadow, section.get("shadow_sha256")) {
        item.flaw(Flaw::new(
            "`shadow_sha256` pins nothing: there is no `shadow`",
            "write shadow = \"./candidate.wasm\"",
        ));
    }
    let shadow = shadow.and_then(|item| item.parse(|text| plugin_ref(section, text)));
    Some(Transform {
        plugin: plugin?,
        pin: plugin_pin?,
        settings: settings?,
        limits: limits?,
        canary: canary?,
        may_drop_columns: may_drop_columns?,
        shadow,
        shadow_pin: shadow_pin?,
        origin,
    })
}

/// What `key` says of the content of the plugin that stands at `plugin`. `None` only where the document has noted why.
fn pin(section: &Section<'_>, key: &str, plugin: Option<&Item<'_>>) -> Option<Pin> {
    let at = |item: &Item<'_>| origin(section.document, item.key_span.start..item.span.end);
    match section.get(key) {
        Some(item) => Some(Pin::to(&item.parse(sha256)?, &at(&item))),
        None => Some(Pin::none(plugin.map_or_else(|| origin(section.document, section.span()), at))),
    }
}

/// What looks like a path is one.
fn plugin_ref(section: &Section<'_>, text: &str) -> Result<PluginRef, Flaw> {
    const HELP: &str = "write a plugin's name (\"flatten-spans\") or a file (\"./my-plugin.wasm\")";
    if text.contains('/') || text.ends_with(".wasm") {
        return Ok(PluginRef::File(absolute(section.document.folder(), text)));
    }
    let is_name = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if is_name {
        Ok(PluginRef::Named(text.to_owned()))
    } else {
        Err(Flaw::new(format!("`{text}` is neither a plugin's name nor a file"), HELP))
    }
}

fn limits(section: &Section<'_>) -> Limits {
    // A 32-bit memory ends at 4 GiB; 32-bit offsets end an output's buffer at 2 GiB.
    let memory = section.parse("memory", |text| quantity::size_within(text, "1MiB"..="4GiB"));
    let deadline = section.parse("deadline", |text| quantity::duration_within(text, "1ms"..="5m"));
    let output = section.parse("output", |text| quantity::size_within(text, "64KiB"..="2GiB"));
    Limits {
        memory_bytes: memory.unwrap_or(DEFAULT_LIMITS.memory_bytes),
        deadline: deadline.unwrap_or(DEFAULT_LIMITS.deadline),
        output_bytes: output.unwrap_or(DEFAULT_LIMITS.output_bytes),
    }
}

/// The table flattened, in the file's order.
fn settings(item: &Item<'_>) -> Option<Vec<Setting>> {
    let mut settings = Vec::new();
    let whole = flatten(item, "", &mut settings);
    whole.then_some(settings)
}

fn flatten(item: &Item<'_>, prefix: &str, settings: &mut Vec<Setting>) -> bool {
    let Some(entries) = item.entries() else { return false };
    let mut whole = true;
    for entry in entries {
        let key = format!("{prefix}{}", entry.key);
        let values = match entry.value {
            DeValue::Table(_) => {
                whole &= flatten(&entry, &format!("{key}."), settings);
                continue;
            }
            DeValue::Array(_) => elements(&entry),
            _ => entry.scalar().map(|value| vec![value]),
        };
        match values {
            Some(values) => settings.push(Setting { key, values }),
            None => whole = false,
        }
    }
    whole
}

/// An array of scalars; plugins see no deeper.
fn elements(entry: &Item<'_>) -> Option<Vec<String>> {
    let elements = entry.elements("an array")?;
    let deep = elements.iter().find(|element| matches!(element.value, DeValue::Array(_) | DeValue::Table(_)));
    if let Some(deep) = deep {
        let help = "a plugin's settings are scalars, arrays of scalars, and tables of these";
        deep.flaw(Flaw::new(format!("`{}` nests too deep", entry.key), help));
        return None;
    }
    let values: Vec<String> = elements.iter().filter_map(Item::scalar).collect();
    (values.len() == elements.len()).then_some(values)
}
