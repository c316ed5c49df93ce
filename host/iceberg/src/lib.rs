//! The native Iceberg sink: one store for data and metadata, one conditional write a catalog, one writer of Parquet.
//!
//! The crate `iceberg` knows the format; what it does not do as an exactly-once sink needs it is done here: the swap of
//! a table's head ([`catalog`]), the staging of a snapshot ([`snapshot`]) and the writing of data files ([`writer`]).
//! [`table`] puts them together behind the core's port.

#[cfg(test)]
mod fixture;

pub mod catalog;
pub mod commit;
pub mod compact;
pub mod evolve;
pub mod expire;
pub mod layout;
pub mod letters;
pub mod manifests;
pub mod metadata;
pub mod orphans;
pub mod properties;
pub mod reach;
pub mod schema;
pub mod snapshot;
pub mod store;
pub mod survey;
pub mod table;
pub mod upkeep;
pub mod verify;
pub mod views;
pub mod writer;

pub use iceberg::TableIdent;
