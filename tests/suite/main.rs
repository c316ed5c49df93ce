//! Weir's promises, each proved against real components: one file for each.

mod components;
