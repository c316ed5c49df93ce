//! The columns that are there only if a pipeline asks for them.

use crate::{Odd, known};
use weir_sdk::otlp::{Link, Malformed, ResourceSpans, ScopeSpans, Span};
use weir_sdk::prelude::*;

/// Each column, none where nobody asked for it.
#[derive(Default)]
pub(crate) struct Optional {
    start_time_unix_nano: Option<Int64>,
    end_time_unix_nano: Option<Int64>,
    trace_state: Option<Dictionary>,
    flags: Option<Int64>,
    scope_name: Option<Dictionary>,
    scope_version: Option<Dictionary>,
    scope_attributes: Option<AttributeMap<Dictionary>>,
    links: Option<List<Struct<Links>>>,
    dropped_attributes_count: Option<Int64>,
    dropped_events_count: Option<Int64>,
    dropped_links_count: Option<Int64>,
    event_dropped_attributes_counts: Option<List<Int64>>,
    link_dropped_attributes_counts: Option<List<Int64>>,
    resource_dropped_attributes_count: Option<Int64>,
    scope_dropped_attributes_count: Option<Int64>,
    resource_schema_url: Option<Dictionary>,
    scope_schema_url: Option<Dictionary>,
}

#[derive(Default)]
struct Links {
    trace_id: Utf8,
    span_id: Utf8,
    trace_state: Dictionary,
    attributes: AttributeMap,
    flags: Int64,
}

impl Optional {
    /// The columns there may be, in the table's order.
    pub(crate) const NAMES: [&str; 17] = [
        "start_time_unix_nano",
        "end_time_unix_nano",
        "trace_state",
        "flags",
        "scope_name",
        "scope_version",
        "scope_attributes",
        "links",
        "dropped_attributes_count",
        "dropped_events_count",
        "dropped_links_count",
        "event_dropped_attributes_counts",
        "link_dropped_attributes_counts",
        "resource_dropped_attributes_count",
        "scope_dropped_attributes_count",
        "resource_schema_url",
        "scope_schema_url",
    ];

    /// The columns of these names; none if there are none.
    pub(crate) fn new(names: &[String]) -> Option<Self> {
        fn make<C: Default>(asked: bool) -> Option<C> {
            asked.then(C::default)
        }
        if names.is_empty() {
            return None;
        }
        let asked = |name: &str| names.iter().any(|asked| asked == name);
        Some(Optional {
            start_time_unix_nano: make(asked("start_time_unix_nano")),
            end_time_unix_nano: make(asked("end_time_unix_nano")),
            trace_state: make(asked("trace_state")),
            flags: make(asked("flags")),
            scope_name: make(asked("scope_name")),
            scope_version: make(asked("scope_version")),
            scope_attributes: make(asked("scope_attributes")),
            links: make(asked("links")),
            dropped_attributes_count: make(asked("dropped_attributes_count")),
            dropped_events_count: make(asked("dropped_events_count")),
            dropped_links_count: make(asked("dropped_links_count")),
            event_dropped_attributes_counts: make(asked("event_dropped_attributes_counts")),
            link_dropped_attributes_counts: make(asked("link_dropped_attributes_counts")),
            resource_dropped_attributes_count: make(asked("resource_dropped_attributes_count")),
            scope_dropped_attributes_count: make(asked("scope_dropped_attributes_count")),
            resource_schema_url: make(asked("resource_schema_url")),
            scope_schema_url: make(asked("scope_schema_url")),
        })
    }

    /// Appends one row.
    pub(crate) fn push(
        &mut self,
        resource: &ResourceSpans<'_>,
        is_first_of_resource: bool,
        scope: &ScopeSpans<'_>,
        is_first_of_scope: bool,
        span: &Span<'_>,
        odd: &mut Odd,
    ) -> Result<(), Malformed> {
        self.push_resource(resource, is_first_of_resource)?;
        self.push_scope(scope, is_first_of_scope, odd)?;
        self.push_span(span, odd)?;
        self.push_links(span, odd)
    }

    fn push_resource(&mut self, of: &ResourceSpans<'_>, is_first: bool) -> Result<(), Malformed> {
        if let Some(cells) = &mut self.resource_dropped_attributes_count {
            cells.push(of.resource.dropped_attributes_count.into());
        }
        match &mut self.resource_schema_url {
            Some(cells) if is_first => cells.push_option(known(of.schema_url()?)),
            Some(cells) => cells.push_again(),
            None => {}
        }
        Ok(())
    }

    fn push_scope(&mut self, of: &ScopeSpans<'_>, is_first: bool, odd: &mut Odd) -> Result<(), Malformed> {
        if let Some(cells) = &mut self.scope_name {
            cells.push_option(known(of.scope.name));
        }
        if let Some(cells) = &mut self.scope_version {
            cells.push_option(known(of.scope.version));
        }
        match &mut self.scope_attributes {
            Some(cells) if is_first => cells.push(of.scope.attributes.clone(), &mut odd.attributes)?,
            Some(cells) => cells.push_again(),
            None => {}
        }
        if let Some(cells) = &mut self.scope_dropped_attributes_count {
            cells.push(of.scope.dropped_attributes_count.into());
        }
        match &mut self.scope_schema_url {
            Some(cells) if is_first => cells.push_option(known(of.schema_url()?)),
            Some(cells) => cells.push_again(),
            None => {}
        }
        Ok(())
    }

    fn push_span(&mut self, span: &Span<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        if let Some(cells) = &mut self.start_time_unix_nano {
            cells.push(odd.nanos(span.start_time_unix_nano));
        }
        if let Some(cells) = &mut self.end_time_unix_nano {
            cells.push(odd.nanos(span.end_time_unix_nano));
        }
        if let Some(cells) = &mut self.trace_state {
            cells.push_option(known(span.trace_state));
        }
        if let Some(cells) = &mut self.flags {
            cells.push(span.flags.into());
        }
        if let Some(cells) = &mut self.dropped_attributes_count {
            cells.push(span.dropped_attributes_count.into());
        }
        if let Some(cells) = &mut self.dropped_events_count {
            cells.push(span.dropped_events_count.into());
        }
        if let Some(cells) = &mut self.dropped_links_count {
            cells.push(span.dropped_links_count.into());
        }
        if let Some(cells) = &mut self.event_dropped_attributes_counts {
            for event in span.events.clone() {
                cells.items.push(event?.dropped_attributes_count.into());
            }
            cells.close();
        }
        Ok(())
    }

    fn push_links(&mut self, span: &Span<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        if let Some(cells) = &mut self.links {
            for link in span.links.clone() {
                cells.items.fields.push(&link?, odd)?;
                cells.items.push();
            }
            cells.close();
        }
        if let Some(cells) = &mut self.link_dropped_attributes_counts {
            for link in span.links.clone() {
                cells.items.push(link?.dropped_attributes_count.into());
            }
            cells.close();
        }
        Ok(())
    }
}

impl Links {
    fn push(&mut self, link: &Link<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        odd.invalid_ids += u64::from(!otlp::trace_id(&mut self.trace_id, link.trace_id));
        odd.invalid_ids += u64::from(!otlp::span_id(&mut self.span_id, link.span_id));
        self.trace_state.push_option(known(link.trace_state));
        self.flags.push(link.flags.into());
        self.attributes.push(link.attributes.clone(), &mut odd.attributes)
    }
}

impl Columns for Links {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("trace_id", "32 hex digits; NULL where the id is invalid.", &mut self.trace_id);
        visit.column("span_id", "16 hex digits; NULL where the id is invalid.", &mut self.span_id);
        visit.column("trace_state", "The W3C tracestate.", &mut self.trace_state);
        visit.column("attributes", "Its attributes, as text.", &mut self.attributes);
        visit.column("flags", "Bits 0 to 7 W3C, 8 and 9 whether the span is remote.", &mut self.flags);
    }
}

impl Columns for Optional {
    fn columns(&mut self, visit: &mut dyn Visit) {
        let mut show = |name: &str, doc: &str, column: Option<&mut dyn Column>| {
            if let Some(column) = column {
                visit.column(name, doc, column);
            }
        };
        fn some<C: Column>(column: &mut Option<C>) -> Option<&mut dyn Column> {
            column.as_mut().map(|column| column as &mut dyn Column)
        }
        let [start, end, trace_state, flags, scope_name, scope_version, scope_attributes, links, ..] = Self::NAMES;
        let [.., attributes, events, span_links, event, link, resource, scope, resource_url, scope_url] = Self::NAMES;
        show(start, "When the span began, in nanoseconds.", some(&mut self.start_time_unix_nano));
        show(end, "When the span ended, in nanoseconds.", some(&mut self.end_time_unix_nano));
        show(trace_state, "The W3C tracestate.", some(&mut self.trace_state));
        show(flags, "Bits 0 to 7 W3C, 8 and 9 whether the parent is remote.", some(&mut self.flags));
        show(scope_name, "The name of the library that made the span.", some(&mut self.scope_name));
        show(scope_version, "The version of that library.", some(&mut self.scope_version));
        show(scope_attributes, "The scope's attributes, as text.", some(&mut self.scope_attributes));
        show(links, "Other spans that the span points to.", some(&mut self.links));
        show(attributes, "Span attributes that were dropped.", some(&mut self.dropped_attributes_count));
        show(events, "Events that were dropped.", some(&mut self.dropped_events_count));
        show(span_links, "Links that were dropped.", some(&mut self.dropped_links_count));
        show(event, "For each event its dropped attributes.", some(&mut self.event_dropped_attributes_counts));
        show(link, "For each link its dropped attributes.", some(&mut self.link_dropped_attributes_counts));
        show(resource, "Resource attributes that were dropped.", some(&mut self.resource_dropped_attributes_count));
        show(scope, "Scope attributes that were dropped.", some(&mut self.scope_dropped_attributes_count));
        show(resource_url, "The schema that the resource follows.", some(&mut self.resource_schema_url));
        show(scope_url, "The schema that the spans follow.", some(&mut self.scope_schema_url));
    }
}
