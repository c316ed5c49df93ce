//! What the five tables have in common: where a data point comes from, when it was measured, and its attributes.

use crate::Odd;
use crate::exemplars::Exemplars;
use weir_sdk::flatten::{AttributeColumns, Choice, Origin, ScopeColumns, asked, known, show};
use weir_sdk::otlp::{Exemplar, Malformed, Metric, Point, Read, Repeated, ResourceMetrics, ScopeMetrics};
use weir_sdk::prelude::*;

/// The columns to choose from, in the tables' order.
pub(crate) const FURTHER: [&str; 7] = [
    "time_unix_nano",
    "start_time_unix_nano",
    "metric_metadata",
    "resource_dropped_attributes_count",
    "scope_dropped_attributes_count",
    "resource_schema_url",
    "scope_schema_url",
];

/// The values of one kind of data point: the columns that its table has and the others do not.
pub(crate) trait Values: Columns + Default {
    /// The table's name.
    const NAME: &'static str;
    /// What a row is.
    const DOC: &'static str;
    /// Whether its points have exemplars.
    const HAS_EXEMPLARS: bool = true;
}

/// A data point of any kind.
pub(crate) trait DataPoint<'a>: Read<'a> {
    fn point(&self) -> &Point<'a>;
    /// None where the kind has none.
    fn exemplars(&self) -> Option<&Repeated<'a, Exemplar<'a>>>;
}

/// Where a data point comes from.
pub(crate) struct Place<'a> {
    pub(crate) resource: &'a ResourceMetrics<'a>,
    pub(crate) scope: &'a ScopeMetrics<'a>,
    pub(crate) metric: &'a Metric<'a>,
}

/// The table of one kind.
pub(crate) struct PointTable<V> {
    pub(crate) columns: PointColumns,
    values: V,
}

/// The columns that all five tables have.
pub(crate) struct PointColumns {
    timestamp: TimestampUtc,
    start_timestamp: TimestampUtc,
    metric_name: Dictionary,
    metric_description: Dictionary,
    metric_unit: Dictionary,
    /// Values by number: points of one series have the same ones, minute after minute.
    attributes: AttributeColumns<Dictionary>,
    flags: Int64,
    exemplars: Option<List<Struct<Exemplars>>>,
    time_unix_nano: Option<Int64>,
    start_time_unix_nano: Option<Int64>,
    metric_metadata: Option<AttributeMap<Dictionary>>,
    origin: Origin,
    is_metric_begun: bool,
}

impl<V: Values> PointTable<V> {
    pub(crate) fn new(choice: &Choice) -> Self {
        let names = &choice.columns;
        let columns = PointColumns {
            timestamp: TimestampUtc::new(),
            start_timestamp: TimestampUtc::new(),
            metric_name: Dictionary::new(),
            metric_description: Dictionary::new(),
            metric_unit: Dictionary::new(),
            attributes: AttributeColumns::new(&choice.promote, "data point", choice.promote_only),
            flags: Int64::new(),
            exemplars: V::HAS_EXEMPLARS.then(List::default),
            time_unix_nano: asked(names, "time_unix_nano"),
            start_time_unix_nano: asked(names, "start_time_unix_nano"),
            metric_metadata: asked(names, "metric_metadata"),
            origin: Origin::new(choice, &ScopeColumns::NAMES.map(str::to_owned)),
            is_metric_begun: false,
        };
        PointTable { columns, values: V::default() }
    }

    /// Appends the points of a metric; `push` appends the values of one.
    pub(crate) fn push<'a, P: DataPoint<'a>>(
        &mut self,
        place: &Place<'a>,
        points: &Repeated<'a, P>,
        odd: &mut Odd,
        push: impl Fn(&mut V, &P, &mut Odd) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.columns.is_metric_begun = false;
        for point in points.clone() {
            let point = point?;
            push(&mut self.values, &point, odd)?;
            self.columns.push(place, &point, odd)?;
        }
        Ok(())
    }
}

impl PointColumns {
    /// The points that follow are of another resource, or of another record.
    pub(crate) fn begin_resource(&mut self) {
        self.origin.begin_resource();
    }

    /// The points that follow are of another scope.
    pub(crate) fn begin_scope(&mut self) {
        self.origin.begin_scope();
    }

    fn push<'a>(&mut self, place: &Place<'a>, of: &impl DataPoint<'a>, odd: &mut Odd) -> Result<(), Malformed> {
        let (point, common) = (of.point(), &mut odd.common);
        self.origin.push(place.resource, place.scope, common)?;
        self.push_metric(place.metric, common)?;
        self.attributes.push(point.attributes.clone(), common)?;
        self.flags.push(point.flags.into());
        let (start, time) = (point.start_time_unix_nano, point.time_unix_nano);
        if let Some(cells) = &mut self.time_unix_nano {
            cells.push(common.nanos(time));
        }
        if let Some(cells) = &mut self.start_time_unix_nano {
            cells.push(common.nanos(start));
        }
        self.start_timestamp.push_option((start != 0).then(|| common.micros(start)));
        if let (Some(cells), Some(exemplars)) = (&mut self.exemplars, of.exemplars()) {
            for exemplar in exemplars.clone() {
                cells.items.fields.push(&exemplar?, odd)?;
                cells.items.push();
            }
            cells.close();
        }
        // Last: its length is the table's.
        self.timestamp.push(odd.common.micros(time));
        Ok(())
    }

    fn push_metric(&mut self, metric: &Metric<'_>, odd: &mut weir_sdk::flatten::Odd) -> Result<(), Malformed> {
        if self.is_metric_begun {
            self.metric_name.push_again();
            self.metric_description.push_again();
            self.metric_unit.push_again();
            if let Some(cells) = &mut self.metric_metadata {
                cells.push_again();
            }
            return Ok(());
        }
        self.metric_name.push_option(known(metric.name));
        self.metric_description.push_option(known(metric.description));
        self.metric_unit.push_option(known(metric.unit));
        if let Some(cells) = &mut self.metric_metadata {
            cells.push(metric.metadata.clone(), &mut odd.attributes)?;
        }
        self.is_metric_begun = true;
        Ok(())
    }

    fn show_first(&mut self, visit: &mut dyn Visit) {
        visit.column("timestamp", "When it was measured.", &mut self.timestamp);
        visit.column("start_timestamp", "Since when it adds up; NULL where unknown.", &mut self.start_timestamp);
        visit.column("service_name", "The resource's service.name.", &mut self.origin.service_name);
        visit.column("metric_name", "The metric's name.", &mut self.metric_name);
        visit.column("metric_description", "What the metric means.", &mut self.metric_description);
        visit.column("metric_unit", "The unit of its values (UCUM).", &mut self.metric_unit);
    }

    fn show_last(&mut self, visit: &mut dyn Visit) {
        let resource = &mut self.origin.resource;
        visit.column("attributes", "The data point's attributes, as text.", &mut self.attributes.map);
        visit.column("resource_attributes", "The resource's attributes, as text.", &mut resource.map);
        self.origin.scope.columns(visit);
        visit.column("flags", "Bit 0: there is no value, on purpose.", &mut self.flags);
        show(visit, "exemplars", "Examples of what was measured.", &mut self.exemplars);
        let [time, start, metadata, ..] = FURTHER;
        show(visit, time, "When it was measured, in nanoseconds.", &mut self.time_unix_nano);
        show(visit, start, "Since when it adds up, in nanoseconds; 0 unknown.", &mut self.start_time_unix_nano);
        show(visit, metadata, "What is said about the metric itself, as text.", &mut self.metric_metadata);
        self.origin.provenance.columns(visit);
        self.attributes.promoted.columns(visit);
        self.origin.resource.promoted.columns(visit);
    }
}

impl<V: Values> Table for PointTable<V> {
    fn name(&self) -> &str {
        V::NAME
    }

    fn doc(&self) -> &str {
        V::DOC
    }

    fn rows(&self) -> usize {
        self.columns.timestamp.len()
    }
}

impl<V: Values> Columns for PointTable<V> {
    fn columns(&mut self, visit: &mut dyn Visit) {
        self.columns.show_first(visit);
        self.values.columns(visit);
        self.columns.show_last(visit);
    }
}
