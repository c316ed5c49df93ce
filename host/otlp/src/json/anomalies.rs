//! What a document did wrong without being refused.

use std::ops::AddAssign;

/// How often a document broke a rule that costs none of its rows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Anomalies {
    /// Trace and span ids that are not hexadecimal, of odd length or not text: the id is left empty. Ids of a wrong
    /// but even length are passed on as they are.
    pub invalid_ids: u64,
    /// Enums given by name, or as numbers in quotes. An unknown name counts too, and is the enum's 0.
    pub enum_names: u64,
    /// Fields that an object names twice, or members of one `oneof` beside each other.
    pub duplicate_fields: u64,
    /// Fields that OTLP does not have, skipped with all they hold.
    pub unknown_fields: u64,
    /// `\uD800` to `\uDFFF` without their other half, replaced by U+FFFD.
    pub lone_surrogates: u64,
    /// Sequences that are not UTF-8, each replaced by one U+FFFD.
    pub invalid_utf8: u64,
    /// Bytes below 0x20 inside text, which JSON wants escaped: kept.
    pub control_characters: u64,
}

impl Anomalies {
    /// Whether there was none.
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

impl AddAssign for Anomalies {
    fn add_assign(&mut self, other: Self) {
        self.invalid_ids += other.invalid_ids;
        self.enum_names += other.enum_names;
        self.duplicate_fields += other.duplicate_fields;
        self.unknown_fields += other.unknown_fields;
        self.lone_surrogates += other.lone_surrogates;
        self.invalid_utf8 += other.invalid_utf8;
        self.control_characters += other.control_characters;
    }
}
