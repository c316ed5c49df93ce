//! The columns that are there only if a pipeline asks for them. Those of scope and resource are
//! [`weir_sdk::flatten::Origin`]'s.

use weir_sdk::flatten::{Odd, asked, known, show};
use weir_sdk::otlp::{Link, Malformed, Span};
use weir_sdk::prelude::*;

/// Each column, none where nobody asked for it.
#[derive(Default)]
pub(crate) struct Optional {
    start_time_unix_nano: Option<Int64>,
    end_time_unix_nano: Option<Int64>,
    trace_state: Option<Dictionary>,
    flags: Option<Int64>,
    links: Option<List<Struct<Links>>>,
    dropped_attributes_count: Option<Int64>,
    dropped_events_count: Option<Int64>,
    dropped_links_count: Option<Int64>,
    event_dropped_attributes_counts: Option<List<Int64>>,
    link_dropped_attributes_counts: Option<List<Int64>>,
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
    /// The columns there may be, in the table's order, those of scope and resource among them.
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
        if names.is_empty() {
            return None;
        }
        Some(Optional {
            start_time_unix_nano: asked(names, "start_time_unix_nano"),
            end_time_unix_nano: asked(names, "end_time_unix_nano"),
            trace_state: asked(names, "trace_state"),
            flags: asked(names, "flags"),
            links: asked(names, "links"),
            dropped_attributes_count: asked(names, "dropped_attributes_count"),
            dropped_events_count: asked(names, "dropped_events_count"),
            dropped_links_count: asked(names, "dropped_links_count"),
            event_dropped_attributes_counts: asked(names, "event_dropped_attributes_counts"),
            link_dropped_attributes_counts: asked(names, "link_dropped_attributes_counts"),
        })
    }

    /// Appends one row.
    pub(crate) fn push(&mut self, span: &Span<'_>, odd: &mut Odd) -> Result<(), Malformed> {
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
        self.push_links(span, odd)
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

    /// Shows the columns that come before those of the scope.
    pub(crate) fn show_first(&mut self, visit: &mut dyn Visit) {
        let [start, end, trace_state, flags, ..] = Self::NAMES;
        show(visit, start, "When the span began, in nanoseconds.", &mut self.start_time_unix_nano);
        show(visit, end, "When the span ended, in nanoseconds.", &mut self.end_time_unix_nano);
        show(visit, trace_state, "The W3C tracestate.", &mut self.trace_state);
        show(visit, flags, "Bits 0 to 7 W3C, 8 and 9 whether the parent is remote.", &mut self.flags);
    }

    /// Shows the columns that come after those of the scope.
    pub(crate) fn show_rest(&mut self, visit: &mut dyn Visit) {
        let [.., links, attributes, events, span_links, event, link, _, _, _, _] = Self::NAMES;
        show(visit, links, "Other spans that the span points to.", &mut self.links);
        show(visit, attributes, "Span attributes that were dropped.", &mut self.dropped_attributes_count);
        show(visit, events, "Events that were dropped.", &mut self.dropped_events_count);
        show(visit, span_links, "Links that were dropped.", &mut self.dropped_links_count);
        let per_event = &mut self.event_dropped_attributes_counts;
        show(visit, event, "For each event its dropped attributes.", per_event);
        show(visit, link, "For each link its dropped attributes.", &mut self.link_dropped_attributes_counts);
    }
}

impl Links {
    fn push(&mut self, link: &Link<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        odd.trace_id(&mut self.trace_id, link.trace_id);
        odd.span_id(&mut self.span_id, link.span_id);
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
