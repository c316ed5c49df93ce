//! What the resource and the scope give to each row of theirs: encoded with the first one, then repeated.

use super::{AttributeColumns, Choice, Odd, asked, known, show};
use crate::column::{AttributeMap, Dictionary, Int64};
use crate::otlp::{AnyValue, Malformed, ResourceItems, ScopeItems};
use crate::plugin::{Columns, Visit};

/// The attribute that names a service.
const SERVICE_NAME: &[u8] = b"service.name";

/// The columns of resource and scope. A table shows each group in its place.
#[derive(Debug)]
pub struct Origin {
    /// The resource's `service.name`; NULL where it is missing.
    pub service_name: Dictionary,
    /// The resource's attributes. Values by number: they are the same in each row of a resource.
    pub resource: AttributeColumns<Dictionary>,
    /// The scope; none where nobody asked for any of it, so that a row does not look for it.
    pub scope: Option<Box<ScopeColumns>>,
    /// Dropped counts and schemas; none where nobody asked for any of them.
    pub provenance: Option<Box<Provenance>>,
    /// The number of `service.name` among the resource attributes' keys.
    service_name_number: usize,
    is_resource_begun: bool,
    is_scope_begun: bool,
}

/// The columns of a scope, those that are wanted.
#[derive(Debug, Default)]
pub struct ScopeColumns {
    name: Option<Dictionary>,
    version: Option<Dictionary>,
    attributes: Option<AttributeMap<Dictionary>>,
}

/// What was lost on the way and which schemas the attributes follow: columns that are there if asked for.
#[derive(Debug, Default)]
pub struct Provenance {
    resource_dropped_attributes_count: Option<Int64>,
    scope_dropped_attributes_count: Option<Int64>,
    resource_schema_url: Option<Dictionary>,
    scope_schema_url: Option<Dictionary>,
}

impl Origin {
    /// Empty columns. `scope` names those of [`ScopeColumns::NAMES`] that are wanted.
    pub fn new(choice: &Choice, scope: &[String]) -> Self {
        let Choice { columns, promote_resource, promote_only, .. } = choice;
        let is_asked = |names: &[&str], asked: &[String]| asked.iter().any(|name| names.contains(&name.as_str()));
        Origin {
            service_name: Dictionary::new(),
            resource: AttributeColumns::seeded(promote_resource, "resource", *promote_only, Some(SERVICE_NAME)),
            scope: is_asked(&ScopeColumns::NAMES, scope).then(|| Box::new(ScopeColumns::new(scope))),
            provenance: is_asked(&Provenance::NAMES, columns).then(|| Box::new(Provenance::new(columns))),
            service_name_number: promote_resource.len(),
            is_resource_begun: false,
            is_scope_begun: false,
        }
    }

    /// The rows that follow are of another resource, or of another record: call it before the first of them.
    #[inline]
    pub fn begin_resource(&mut self) {
        self.is_resource_begun = false;
        self.is_scope_begun = false;
    }

    /// The rows that follow are of another scope.
    #[inline]
    pub fn begin_scope(&mut self) {
        self.is_scope_begun = false;
    }

    /// Appends one row.
    ///
    /// # Errors
    /// The resource or the scope is malformed. The row is left half-written: refuse the record.
    #[inline]
    pub fn push<T>(
        &mut self,
        resource: &ResourceItems<'_, T>,
        scope: &ScopeItems<'_, T>,
        odd: &mut Odd,
    ) -> Result<(), Malformed> {
        if self.is_resource_begun {
            self.resource.push_again();
            self.service_name.push_again();
        } else {
            self.push_resource(resource, odd)?;
        }
        if let Some(columns) = &mut self.scope {
            if self.is_scope_begun { columns.push_again() } else { columns.push(scope, odd)? }
        }
        if let Some(columns) = &mut self.provenance {
            columns.push(resource, self.is_resource_begun, scope, self.is_scope_begun)?;
        }
        (self.is_resource_begun, self.is_scope_begun) = (true, true);
        Ok(())
    }

    fn push_resource<T>(&mut self, resource: &ResourceItems<'_, T>, odd: &mut Odd) -> Result<(), Malformed> {
        let number = self.service_name_number;
        let mut service_name = AnyValue::Empty;
        self.resource.push_watched(resource.resource.attributes.clone(), odd, |key, attribute| {
            if key.index() == number {
                service_name = attribute.value.clone();
            }
        })?;
        match service_name {
            AnyValue::Empty | AnyValue::StringIndex => {
                odd.missing_service_names += 1;
                self.service_name.push_null();
                Ok(())
            }
            // Its text was written to the map, and whatever is odd in it counted there.
            name => name.push_text(&mut self.service_name, &mut Default::default()),
        }
    }
}

impl ScopeColumns {
    /// The columns there may be.
    pub const NAMES: [&str; 3] = ["scope_name", "scope_version", "scope_attributes"];

    fn new(names: &[String]) -> Self {
        let [name, version, attributes] = Self::NAMES;
        ScopeColumns { name: asked(names, name), version: asked(names, version), attributes: asked(names, attributes) }
    }

    fn push<T>(&mut self, of: &ScopeItems<'_, T>, odd: &mut Odd) -> Result<(), Malformed> {
        if let Some(cells) = &mut self.name {
            cells.push_option(known(of.scope.name));
        }
        if let Some(cells) = &mut self.version {
            cells.push_option(known(of.scope.version));
        }
        if let Some(cells) = &mut self.attributes {
            cells.push(of.scope.attributes.clone(), &mut odd.attributes)?;
        }
        Ok(())
    }

    fn push_again(&mut self) {
        if let Some(cells) = &mut self.name {
            cells.push_again();
        }
        if let Some(cells) = &mut self.version {
            cells.push_again();
        }
        if let Some(cells) = &mut self.attributes {
            cells.push_again();
        }
    }
}

impl Columns for ScopeColumns {
    fn columns(&mut self, visit: &mut dyn Visit) {
        let [name, version, attributes] = Self::NAMES;
        show(visit, name, "The name of the library that made it.", &mut self.name);
        show(visit, version, "The version of that library.", &mut self.version);
        show(visit, attributes, "The scope's attributes, as text.", &mut self.attributes);
    }
}

impl Provenance {
    /// The columns there may be.
    pub const NAMES: [&str; 4] = [
        "resource_dropped_attributes_count",
        "scope_dropped_attributes_count",
        "resource_schema_url",
        "scope_schema_url",
    ];

    fn new(names: &[String]) -> Self {
        let [resource, scope, resource_url, scope_url] = Self::NAMES;
        Provenance {
            resource_dropped_attributes_count: asked(names, resource),
            scope_dropped_attributes_count: asked(names, scope),
            resource_schema_url: asked(names, resource_url),
            scope_schema_url: asked(names, scope_url),
        }
    }

    fn push<T>(
        &mut self,
        resource: &ResourceItems<'_, T>,
        is_resource_begun: bool,
        scope: &ScopeItems<'_, T>,
        is_scope_begun: bool,
    ) -> Result<(), Malformed> {
        if let Some(cells) = &mut self.resource_dropped_attributes_count {
            cells.push(resource.resource.dropped_attributes_count.into());
        }
        if let Some(cells) = &mut self.scope_dropped_attributes_count {
            cells.push(scope.scope.dropped_attributes_count.into());
        }
        match &mut self.resource_schema_url {
            Some(cells) if is_resource_begun => cells.push_again(),
            Some(cells) => cells.push_option(known(resource.schema_url()?)),
            None => {}
        }
        match &mut self.scope_schema_url {
            Some(cells) if is_scope_begun => cells.push_again(),
            Some(cells) => cells.push_option(known(scope.schema_url()?)),
            None => {}
        }
        Ok(())
    }
}

impl Columns for Provenance {
    fn columns(&mut self, visit: &mut dyn Visit) {
        let [resource, scope, resource_url, scope_url] = Self::NAMES;
        let dropped = &mut self.resource_dropped_attributes_count;
        show(visit, resource, "Resource attributes that were dropped.", dropped);
        show(visit, scope, "Scope attributes that were dropped.", &mut self.scope_dropped_attributes_count);
        show(visit, resource_url, "The schema that the resource follows.", &mut self.resource_schema_url);
        show(visit, scope_url, "The schema that the scope's items follow.", &mut self.scope_schema_url);
    }
}
