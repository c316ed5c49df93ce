//! The role that is given rows: `arrow-to-arrow`.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_select::take::take;
use cpu_time::ThreadTime;
use weir_pipeline::transform::{Effort, Failure, TableRows, TableSchema};

use crate::answer::REASON_BYTES_MAX;
use crate::bindings::arrow_to_arrow::{self as guest, Selection};
use crate::bindings::columns::RecordBatchResult;
use crate::bindings::settings;
use crate::columns;
use crate::contract::Exported;
use crate::describe::with_tables;
use crate::failure::bounded;
use crate::instance::{Instance, Load};
use crate::lower::Lowered;
use crate::plan::{self, Derived, Plan, Values};
use crate::step::{Misfit, Role, Step};
use crate::voice::cut;

/// Rows in, rows out.
pub(crate) struct ArrowToArrow;

impl Role for ArrowToArrow {
    type Guest = guest::Guest;
    type Given = Vec<TableSchema>;
    type Description = Plan;
    const LOAD: Load<Self::Guest> = |exported, store, instance| match exported {
        Exported::ArrowToArrow(functions) => functions.load(store, instance),
        _ => Err(wasmtime::Error::msg("it is of another world")),
    };

    fn describe(
        instance: &mut Instance<Self::Guest>,
        settings: &[settings::Setting<'_>],
        given: &Self::Given,
    ) -> Result<Plan, Misfit> {
        let plan =
            with_tables(given, |tables| instance.call(|guest, store| guest.call_configure(store, settings, tables)))?;
        plan::check(given, plan.map_err(Misfit::Refused)?).map_err(Misfit::Impossible)
    }
}

/// What a call made of rows.
pub(crate) struct Derivation {
    /// The rows of each table of the plan.
    pub(crate) tables: Vec<TableRows>,
    /// Messages that are refused, and why, by rising index, each once. Their rows are still there.
    pub(crate) refused: Vec<(usize, String)>,
    /// Strings whose invalid UTF-8 was replaced.
    pub(crate) repaired_strings: u64,
}

impl Step<ArrowToArrow> {
    /// Turns rows into rows.
    pub(crate) fn call(&mut self, tables: &[TableRows], effort: Effort) -> Result<Derivation, Failure> {
        let lowered: Vec<Lowered> = tables
            .iter()
            .zip(&self.description().reads)
            .map(|(table, reads)| Lowered::new(table.rows.num_rows(), reads.iter().map(|at| table.rows.column(*at))))
            .collect();
        let bytes_in = lowered.iter().map(Lowered::bytes).sum();
        self.run(effort, bytes_in, |shared, instance, done| {
            let slices: Vec<_> = lowered.iter().map(Lowered::slices).collect();
            let given: Vec<_> = lowered.iter().zip(&slices).map(|(table, slices)| table.batch(slices)).collect();
            let answer = instance.call(|guest, store| guest.call_transform(store, &given))?;
            let answer = answer.map_err(|reason| Failure::Failed(bounded(reason)))?;
            done.bytes_out = answer.tables.iter().map(bytes_of).sum();
            let clock = ThreadTime::now();
            let derivation = check(shared.given(), shared.description(), tables, answer);
            shared.plugin().meter().checking(clock.elapsed());
            let derivation = derivation.map_err(|reason| Failure::Invalid(bounded(reason)))?;
            done.rows_out = derivation.tables.iter().map(|table| table.rows.num_rows() as u64).sum();
            Ok(derivation)
        })
    }
}

fn bytes_of(rows: &guest::DerivedRows) -> u64 {
    let selected = match &rows.selection {
        Selection::All => 0,
        Selection::Rows(rows) => size_of_val(rows.as_slice()) as u64,
    };
    selected + rows.made.buffers.iter().map(|buffer| buffer.len() as u64).sum::<u64>()
}

/// Checks an answer and carries over what the plugin left in the host.
fn check(
    given: &[TableSchema],
    plan: &Plan,
    sources: &[TableRows],
    answer: guest::Output,
) -> Result<Derivation, String> {
    if answer.tables.len() != plan.derived.len() {
        return Err(format!("it gave {} tables, and configure named {}", answer.tables.len(), plan.derived.len()));
    }
    let refused = refused(given, sources, answer.refused)?;
    let mut derivation = Derivation { tables: Vec::new(), refused, repaired_strings: 0 };
    for ((how, table), rows) in plan.derived.iter().zip(&plan.tables).zip(answer.tables) {
        let derived = derive(how, table, &sources[how.source], rows, &mut derivation.repaired_strings);
        derivation.tables.push(derived.map_err(|e| format!("table {}: {e}", table.name))?);
    }
    Ok(derivation)
}

fn refused(
    given: &[TableSchema],
    sources: &[TableRows],
    rows: Vec<guest::RefusedRow>,
) -> Result<Vec<(usize, String)>, String> {
    let messages: Vec<Messages> = sources.iter().map(Messages::of).collect();
    let mut refused = Vec::new();
    for guest::RefusedRow { table, row, mut reason } in rows {
        let at = table as usize;
        let Some((source, name)) = sources.get(at).zip(given.get(at).map(|table| &table.name)) else {
            return Err(format!("it refused a row of table {table}, and there are {}", sources.len()));
        };
        if row as usize >= source.rows.num_rows() {
            return Err(format!("table {name}: it refused row {row}, and there are {}", source.rows.num_rows()));
        }
        reason.truncate(cut(&reason, REASON_BYTES_MAX).len());
        refused.push((messages[at].of_row(row), reason));
    }
    // Stable: of the reasons of one message the first one stays.
    refused.sort_by_key(|(message, _)| *message);
    refused.dedup_by_key(|(message, _)| *message);
    Ok(refused)
}

fn derive(
    how: &Derived,
    table: &TableSchema,
    source: &TableRows,
    rows: guest::DerivedRows,
    repaired: &mut u64,
) -> Result<TableRows, String> {
    let guest::DerivedRows { selection, made } = rows;
    let selected = match selection {
        Selection::All => None,
        Selection::Rows(rows) => Some(check_selection(rows, source.rows.num_rows())?),
    };
    let count = selected.as_ref().map_or(source.rows.num_rows(), |rows| rows.values().len());
    let made = made_columns(how, made, count, repaired)?;
    let column = |values: &Values| match (values, &selected) {
        (Values::Made(at), _) => Ok(Arc::clone(made.column(*at))),
        (Values::Kept(at), None) => Ok(Arc::clone(source.rows.column(*at))),
        (Values::Kept(at), Some(rows)) => take(source.rows.column(*at), rows, None),
    };
    let columns = how.columns.iter().map(column).collect::<Result<Vec<ArrayRef>, _>>();
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    let rows = columns
        .and_then(|columns| RecordBatch::try_new_with_options(Arc::clone(&table.schema), columns, &options))
        .map_err(|e| e.to_string())?;
    let rows_per_message = match selected {
        None => source.rows_per_message.clone(),
        Some(selected) => Messages::of(source).counts(selected.values()),
    };
    Ok(TableRows { rows, rows_per_message })
}

fn check_selection(rows: Vec<u32>, there_are: usize) -> Result<UInt32Array, String> {
    if let Some(pair) = rows.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(format!("it selected row {} after row {}", pair[1], pair[0]));
    }
    match rows.last() {
        Some(last) if *last as usize >= there_are => {
            Err(format!("it selected row {last}, and its source has {there_are}"))
        }
        _ => Ok(UInt32Array::from(rows)),
    }
}

fn made_columns(
    how: &Derived,
    made: RecordBatchResult,
    selected: usize,
    repaired: &mut u64,
) -> Result<RecordBatch, String> {
    if made.rows as usize != selected {
        return Err(format!("it made columns of {} rows, and {selected} are selected", made.rows));
    }
    columns::record_batch(&how.made, made, repaired)
}

/// Which message each row of a table came from.
struct Messages {
    /// For each message the row after its last.
    ends: Vec<u64>,
}

impl Messages {
    fn of(rows: &TableRows) -> Self {
        let mut end = 0;
        let ends = rows.rows_per_message.iter().map(|count| {
            end += u64::from(*count);
            end
        });
        Self { ends: ends.collect() }
    }

    fn of_row(&self, row: u32) -> usize {
        self.ends.partition_point(|end| *end <= u64::from(row))
    }

    /// How many of these rows, which rise, each message gave.
    fn counts(&self, rows: &[u32]) -> Vec<u32> {
        let (mut counts, mut message) = (vec![0; self.ends.len()], 0);
        for row in rows {
            while self.ends.get(message).is_some_and(|end| *end <= u64::from(*row)) {
                message += 1;
            }
            if let Some(count) = counts.get_mut(message) {
                *count += 1;
            }
        }
        counts
    }
}
