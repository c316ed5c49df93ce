//! What a plugin author needs, and nothing of what the host is made of.
//!
//! A plugin is one step of a chain: it turns OTLP into other OTLP ([`OtlpToOtlp`]), OTLP into rows of tables
//! ([`OtlpToArrow`]), or rows into rows ([`ArrowToArrow`]). It implements one of these and names itself in [`export!`];
//! compiled for Wasm it is a component, compiled natively it is a library with tests.
//!
//! ```
//! use weir_sdk::prelude::*;
//!
//! #[derive(Default)]
//! struct Names {
//!     timestamp: TimestampUtc,
//!     name: Dictionary,
//! }
//!
//! impl Columns for Names {
//!     fn columns(&mut self, visit: &mut dyn Visit) {
//!         visit.column("timestamp", "when the span began", &mut self.timestamp);
//!         visit.column("name", "what it did", &mut self.name);
//!     }
//! }
//!
//! impl Table for Names {
//!     fn name(&self) -> &str { "names" }
//!     fn rows(&self) -> usize { self.timestamp.len() }
//! }
//!
//! struct SpanNames(Names);
//!
//! impl OtlpToArrow for SpanNames {
//!     fn configure(_: &mut Settings) -> Result<Self, String> { Ok(SpanNames(Names::default())) }
//!     fn tables(&mut self, each: &mut dyn FnMut(&mut dyn Table)) { each(&mut self.0) }
//!     fn transform(&mut self, message: &Message, _: &mut Context<'_>) -> Result<(), Refusal> {
//!         for resource in otlp::traces(&message.value) {
//!             for scope in resource?.scopes {
//!                 for span in scope?.items {
//!                     let span = span?;
//!                     self.0.timestamp.push((span.start_time_unix_nano / 1000) as i64);
//!                     self.0.name.push(span.name);
//!                 }
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! weir_sdk::export!(SpanNames);
//!
//! let empty = weir_sdk::testing::traces([vec![]]);
//! let rows = weir_sdk::testing::run::<SpanNames>(&[], empty).unwrap();
//! assert_eq!(rows.table("names").len(), 0);
//! ```
//!
//! Where things are: [`otlp`] reads protobuf without copying it, [`mod@column`] holds the columns that a table is
//! made of, [`flatten`] what plugins that make rows of OTLP have in common, [`Instance`] runs a plugin, without Wasm
//! too, `testing` (natively only) reads back what it gave.

mod append;
mod arrow_to_arrow;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod bindings;
pub mod column;
pub mod flatten;
mod instance;
pub mod log;
mod message;
pub mod otlp;
mod otlp_to_otlp;
mod output;
mod plugin;
mod settings;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use arrow_to_arrow::{
    ArrowToArrow, BoolColumn, Bools, Choice, ColumnSource, DerivedOutput, DerivedRows, DerivedSchema, DerivedTable,
    Deriver, FloatColumn, Floats, IntColumn, Ints, Plan, Planned, RefusedRow, Rows, TextColumn, Texts,
};
pub use instance::Instance;
pub use message::{Batch, Header, Message, Signal};
pub use otlp_to_otlp::{OtlpToOtlp, Outcome, Rewriter};
pub use output::{DataType, Field, Node, Output, RecordBatch, Rejection, TableRows, TableSchema};
pub use plugin::{Columns, Context, OtlpToArrow, Refusal, Table, Visit};
pub use settings::{Setting, Settings};

/// What nearly every plugin uses: `use weir_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::column::{
        AttributeMap, Binary, Boolean, Column, Date, Dictionary, Float32, Float64, Int32, Int64, List, Map, Struct,
        TimestampLocal, TimestampUtc, Utf8,
    };
    pub use crate::otlp::{self, AnyValue};
    pub use crate::{
        ArrowToArrow, Bools, Choice, Columns, Context, Floats, Ints, Message, OtlpToArrow, OtlpToOtlp, Outcome, Plan,
        Refusal, Rows, Settings, Signal, Table, Texts, Visit, log,
    };
}

/// Makes a plugin of a type: `export!(Mine as OtlpToOtlp)`, `export!(Mine)` for [`OtlpToArrow`], or
/// `export!(Mine as ArrowToArrow)`. On Wasm these are the component's exports, natively nothing.
///
/// Once in a crate of `crate-type = ["cdylib", "rlib"]`.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        $crate::export!($plugin as OtlpToArrow);
    };
    ($plugin:ty as OtlpToArrow) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs)]
        mod weir_component {
            use super::*;
            ::std::thread_local! {
                static INSTANCE: $crate::bindings::Slot<$plugin> = const { $crate::bindings::Slot::new(None) };
            }
            struct Component;
            impl $crate::bindings::Guest for Component {
                fn configure(
                    settings: ::std::vec::Vec<$crate::bindings::Setting>,
                ) -> ::std::result::Result<::std::vec::Vec<$crate::bindings::Table>, ::std::string::String> {
                    $crate::bindings::configure(&INSTANCE, settings)
                }
                fn transform(
                    batch: $crate::bindings::Batch,
                ) -> ::std::result::Result<$crate::bindings::Output, ::std::string::String> {
                    $crate::bindings::transform(&INSTANCE, batch)
                }
            }
            $crate::bindings::export_component!(Component with_types_in $crate::bindings);
        }
    };
    ($plugin:ty as OtlpToOtlp) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs)]
        mod weir_component {
            use super::*;
            use $crate::bindings::otlp_to_otlp as world;
            ::std::thread_local! {
                static INSTANCE: world::Slot<$plugin> = const { world::Slot::new(None) };
            }
            struct Component;
            impl world::Guest for Component {
                fn configure(
                    settings: ::std::vec::Vec<$crate::bindings::Setting>,
                ) -> ::std::result::Result<(), ::std::string::String> {
                    world::configure(&INSTANCE, settings)
                }
                fn transform(
                    batch: $crate::bindings::Batch,
                ) -> ::std::result::Result<::std::vec::Vec<world::Outcome>, ::std::string::String> {
                    world::transform(&INSTANCE, batch)
                }
            }
            world::export_otlp_to_otlp!(Component with_types_in $crate::bindings::otlp_to_otlp);
        }
    };
    ($plugin:ty as ArrowToArrow) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs)]
        mod weir_component {
            use super::*;
            use $crate::bindings::arrow_to_arrow as world;
            ::std::thread_local! {
                static INSTANCE: world::Slot<$plugin> = const { world::Slot::new(None) };
            }
            struct Component;
            impl world::Guest for Component {
                fn configure(
                    settings: ::std::vec::Vec<$crate::bindings::Setting>,
                    tables: ::std::vec::Vec<$crate::bindings::Table>,
                ) -> ::std::result::Result<world::Plan, ::std::string::String> {
                    world::configure(&INSTANCE, settings, tables)
                }
                fn transform(
                    tables: ::std::vec::Vec<world::RecordBatch>,
                ) -> ::std::result::Result<world::Output, ::std::string::String> {
                    world::transform(&INSTANCE, tables)
                }
            }
            world::export_arrow_to_arrow!(Component with_types_in $crate::bindings::arrow_to_arrow);
        }
    };
}
