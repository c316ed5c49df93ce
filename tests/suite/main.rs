//! Weir's promises, each proved against real components: one file for each.

mod bad_input;
mod catalogs;
mod chains;
mod command_line;
mod compaction;
mod comparison;
mod components;
mod dead_letters;
mod engines;
mod evolution;
mod exactly_once;
mod fail_closed;
mod faults;
mod languages;
mod maintenance;
mod pipeline;
mod plugin_author;
#[allow(clippy::print_stdout, reason = "what it tried, for whoever tries it again")]
mod power;
mod proof;
mod refusals;
mod reload;
mod scripts;
mod security;
mod signals;
mod tables;
