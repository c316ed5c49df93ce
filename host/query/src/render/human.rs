//! An answer as an aligned table.

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};

use crate::answer::Answer;
use crate::error::QueryError;

/// What stands where a value does not.
const NULL: &str = "NULL";
/// No column is cut narrower, so that its values can be told apart.
const COLUMN_MIN: usize = 8;
/// A column of maps or long text takes no more than this, however wide the screen.
const COLUMN_MAX: usize = 60;
/// Where the width of the screen is not known.
const WIDTH_DEFAULT: usize = 160;
/// More rows than this are counted, not shown: who wants them takes JSON lines.
const ROWS_MAX: usize = 1_000;

/// The rows under their columns' names, numbers to the right, one row a line, then how many rows there are. What is
/// too wide for `width` characters is cut with an ellipsis.
///
/// # Errors
/// [`QueryError::Failed`] where a value cannot be shown.
pub fn table(answer: &Answer, width: Option<usize>) -> Result<String, QueryError> {
    if is_plan(answer) {
        return plan(answer);
    }
    let names: Vec<String> = answer.schema.fields().iter().map(|field| one_line(field.name())).collect();
    let is_right: Vec<bool> = answer.schema.fields().iter().map(|field| field.data_type().is_numeric()).collect();
    let total = answer.rows();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for batch in &answer.batches {
        let left = ROWS_MAX - rows.len().min(ROWS_MAX);
        cells(batch, left, &mut rows)?;
    }
    let widths = widths(&names, &rows, width.unwrap_or(WIDTH_DEFAULT));
    let mut text = String::new();
    line(&mut text, &names, &widths, &is_right);
    let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    text.push_str(&rules.join("──"));
    text.push('\n');
    for row in &rows {
        line(&mut text, row, &widths, &is_right);
    }
    let noun = if total == 1 { "row" } else { "rows" };
    match total - rows.len() {
        0 => text.push_str(&format!("({total} {noun})\n")),
        _ => text.push_str(&format!("({total} {noun}, the first {} are shown)\n", rows.len())),
    }
    Ok(text)
}

/// Whether this is what `EXPLAIN` gives: texts of many lines, to be read as they are.
fn is_plan(answer: &Answer) -> bool {
    let names: Vec<&String> = answer.schema.fields().iter().map(|field| field.name()).collect();
    names == ["plan_type", "plan"]
}

fn plan(answer: &Answer) -> Result<String, QueryError> {
    let mut text = String::new();
    for batch in &answer.batches {
        let columns: Result<Vec<_>, _> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default()))
            .collect();
        let columns = columns.map_err(|why| QueryError::Failed(why.to_string()))?;
        for row in 0..batch.num_rows() {
            let lines = columns.iter().map(|column| column.value(row).to_string());
            text.push_str(&lines.collect::<Vec<_>>().join("\n"));
            text.push('\n');
        }
    }
    Ok(text)
}

fn cells(batch: &RecordBatch, rows_max: usize, rows: &mut Vec<Vec<String>>) -> Result<(), QueryError> {
    let options = FormatOptions::default()
        .with_null(NULL)
        .with_display_error(true)
        .with_duration_format(DurationFormat::Pretty)
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.fZ"));
    let formatters: Result<Vec<_>, _> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options)).collect();
    let formatters = formatters.map_err(|why| QueryError::Failed(why.to_string()))?;
    for row in 0..batch.num_rows().min(rows_max) {
        let cell = |(column, formatter): (usize, &ArrayFormatter<'_>)| match batch.column(column).is_null(row) {
            true => NULL.to_owned(),
            false => one_line(&formatter.value(row).to_string()),
        };
        rows.push(formatters.iter().enumerate().map(cell).collect());
    }
    Ok(())
}

/// A value must not break the table, nor the terminal: control characters are shown as escapes.
fn one_line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, c| {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
        line
    })
}

/// Each column as wide as its widest value; where that is too much together, the widest give way first.
fn widths(names: &[String], rows: &[Vec<String>], width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = names.iter().map(|name| name.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    if names.len() > 1 {
        widths.iter_mut().for_each(|width| *width = (*width).min(COLUMN_MAX));
    }
    let gaps = 2 * names.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        match widths.iter_mut().max() {
            Some(widest) if *widest > COLUMN_MIN => *widest -= 1,
            _ => break,
        }
    }
    widths
}

fn line(text: &mut String, cells: &[String], widths: &[usize], is_right: &[bool]) {
    let start = text.len();
    for (index, ((cell, width), is_right)) in cells.iter().zip(widths).zip(is_right).enumerate() {
        if index > 0 {
            text.push_str("  ");
        }
        let length = cell.chars().count();
        if length > *width {
            text.extend(cell.chars().take(width.saturating_sub(1)));
            text.push('…');
        } else if *is_right {
            text.extend(std::iter::repeat_n(' ', width - length));
            text.push_str(cell);
        } else {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - length));
        }
    }
    text.truncate(start + text[start..].trim_end().len());
    text.push('\n');
}
