//! What a demonstration and a test need besides Weir: something to read, and somewhere to read it from.

pub mod broker;
pub mod generate;
pub mod produce;
