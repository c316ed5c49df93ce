//! Another partitioning or order for the files to come. Those that are there keep theirs.

use std::collections::HashSet;

use iceberg::spec::{Schema, SortOrder, TableMetadata, Transform, UnboundPartitionField, UnboundPartitionSpec};

use super::outline::Outline;
use super::{EvolveError, refused, show_type};
use crate::table::arrangement::{self, SortTerm, Term};

/// The spec of some terms; `None` where it is the table's already.
///
/// A field that any spec of the table has had keeps its id and name; a new one gets an id that none has had.
pub(super) fn spec(
    head: &TableMetadata,
    schema: &Schema,
    terms: &[String],
) -> Result<Option<UnboundPartitionSpec>, EvolveError> {
    let outline = Outline::of(schema);
    // The newest first, so that its names win.
    let mut specs: Vec<_> = head.partition_specs_iter().collect();
    specs.sort_by_key(|spec| std::cmp::Reverse((spec.spec_id() == head.default_partition_spec_id(), spec.spec_id())));
    let former: Vec<_> = specs.iter().flat_map(|spec| spec.fields()).collect();
    let mut fields: Vec<UnboundPartitionField> = Vec::with_capacity(terms.len());
    for text in terms {
        let term: Term = text.parse()?;
        let source_id = source(schema, &outline, text, &term)?;
        let known = former.iter().find(|f| f.source_id == source_id && f.transform == term.transform);
        let name = known.map_or_else(
            || {
                let of_others = former.iter().map(|f| f.name.as_str());
                let taken = of_others.chain(fields.iter().map(|f| f.name.as_str())).collect();
                new_name(&term, schema, source_id, &taken)
            },
            |known| known.name.clone(),
        );
        let field_id = known.map(|known| known.field_id);
        fields.push(UnboundPartitionField { source_id, field_id, name, transform: term.transform });
    }
    let now = head.default_partition_spec().fields().iter().map(|f| (f.source_id, f.transform));
    if now.eq(fields.iter().map(|f| (f.source_id, f.transform))) {
        return Ok(None);
    }
    let refusal = |e: iceberg::Error| EvolveError::Refused(format!("{}: {}", terms.join(", "), e.message()));
    Ok(Some(UnboundPartitionSpec::builder().add_partition_fields(fields).map_err(refusal)?.build()))
}

/// The order of some terms; `None` where it is the table's already.
pub(super) fn order(head: &TableMetadata, schema: &Schema, terms: &[String]) -> Result<Option<SortOrder>, EvolveError> {
    let outline = Outline::of(schema);
    for text in terms {
        let sort: SortTerm = text.parse()?;
        source(schema, &outline, text, &sort.term)?;
    }
    let made = arrangement::sort_order(schema, terms)?;
    Ok((made.fields != head.default_sort_order().fields).then_some(made))
}

fn source(schema: &Schema, outline: &Outline<'_>, text: &str, term: &Term) -> Result<i32, EvolveError> {
    let id = arrangement::source(schema, text, term)?;
    if !outline.is_plain(id) {
        return refused(format!("{text}: {} is inside a list or a map, of which a row has many or none", term.column));
    }
    let field_type = schema.field_by_id(id).map(|field| &*field.field_type);
    match field_type.filter(|of| !of.is_primitive() || term.transform.result_type(of).is_err()) {
        None => Ok(id),
        Some(of) => refused(format!("{text}: {} is {}, of which there is no such value", term.column, show_type(of))),
    }
}

/// A name that no other partition field and no column has: two that differ in their transform's number alone would
/// have one.
fn new_name(term: &Term, schema: &Schema, source_id: i32, taken: &HashSet<&str>) -> String {
    let is_free = |name: &String| {
        let column = schema.field_id_by_name(name);
        let is_column = column.is_some_and(|id| id != source_id || term.transform != Transform::Identity);
        !taken.contains(name.as_str()) && !is_column
    };
    let plain = term.field_name();
    let numbered = match term.transform {
        Transform::Bucket(n) | Transform::Truncate(n) => format!("{plain}_{n}"),
        _ => format!("{plain}_partition"),
    };
    let counted = (2..).map(|count: u32| format!("{numbered}_{count}"));
    [plain, numbered.clone()].into_iter().chain(counted).find(is_free).unwrap_or(numbered)
}
