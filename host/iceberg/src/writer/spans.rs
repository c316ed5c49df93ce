//! Which values of a column belong to which rows, on the way down through lists, maps and structs.
//!
//! A span is what one list has, or all of a column that is in none: values side by side. So the ten attributes of a row
//! are one step, and not ten.

use std::ops::Range;

use arrow_buffer::NullBuffer;

use super::hybrid::Levels;

/// Some rows of a column, at one depth.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    spans: Vec<Span>,
    /// The definition level of what is there, and the repetition level of the innermost list.
    def: u8,
    rep: u8,
}

/// Values side by side, or one absence.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// The repetition level of its first value, and of the others.
    first: u8,
    rest: u8,
    start: u32,
    end: u32,
    /// Where nothing is: the definition level that says so.
    absent: Option<u8>,
}

impl Spans {
    /// Rows of a column that is in no other.
    pub(super) fn rows(rows: &Range<usize>) -> Self {
        let span = Span { first: 0, rest: 0, start: rows.start as u32, end: rows.end as u32, absent: None };
        Self { spans: vec![span], def: 0, rep: 0 }
    }

    /// What is there of a column that may be NULL, and is no leaf.
    pub(super) fn nullable(&self, nulls: Option<&NullBuffer>) -> Self {
        let mut below = Self { spans: Vec::with_capacity(self.spans.len()), def: self.def + 1, rep: self.rep };
        let Some(nulls) = nulls else {
            below.spans.clone_from(&self.spans);
            return below;
        };
        for span in &self.spans {
            if span.absent.is_some() {
                below.spans.push(*span);
                continue;
            }
            for index in span.start..span.end {
                let rep = if index == span.start { span.first } else { span.rest };
                if nulls.is_null(index as usize) {
                    below.spans.push(Span { first: rep, absent: Some(self.def), ..*span });
                } else {
                    match below.spans.last_mut() {
                        Some(last) if index > span.start && last.absent.is_none() => last.end = index + 1,
                        _ => below.spans.push(Span { first: rep, start: index, end: index + 1, ..*span }),
                    }
                }
            }
        }
        below
    }

    /// What is in lists, which are not NULL where [`Self::nullable`] has passed them.
    pub(super) fn list(&self, offsets: &[i32]) -> Self {
        let rep = self.rep + 1;
        let mut below = Self { spans: Vec::with_capacity(self.spans.len()), def: self.def + 1, rep };
        for span in &self.spans {
            if span.absent.is_some() {
                below.spans.push(*span);
                continue;
            }
            let ends = &offsets[span.start as usize..=span.end as usize];
            let mut first = span.first;
            for pair in ends.windows(2) {
                let (start, end) = (pair[0].cast_unsigned(), pair[1].cast_unsigned());
                let absent = (start == end).then_some(self.def);
                below.spans.push(Span { first, rest: rep, start, end, absent });
                first = span.rest;
            }
        }
        below
    }

    /// The levels of a leaf, and the ranges of its values that are there.
    pub(super) fn leaf(
        &self,
        is_nullable: bool,
        nulls: Option<&NullBuffer>,
        levels: &mut LeafLevels,
        there: &mut Vec<Range<usize>>,
    ) {
        there.clear();
        let full = self.def + u8::from(is_nullable);
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        for span in &self.spans {
            if self.rep > 0 {
                levels.rep.push(span.first, 1);
            }
            if let Some(def) = span.absent {
                levels.def.push(def, 1);
                continue;
            }
            let (start, end) = (span.start as usize, span.end as usize);
            if self.rep > 0 && end - start > 1 {
                levels.rep.push(span.rest, end - start - 1);
            }
            match nulls {
                None => {
                    levels.def.push(full, end - start);
                    add(there, start..end);
                }
                Some(nulls) => {
                    for index in start..end {
                        let is_there = nulls.is_valid(index);
                        levels.def.push(if is_there { full } else { self.def }, 1);
                        if is_there {
                            add(there, index..index + 1);
                        }
                    }
                }
            }
        }
    }
}

/// The levels of one leaf.
#[derive(Default, Debug)]
pub(super) struct LeafLevels {
    pub(super) rep: Levels,
    pub(super) def: Levels,
}

fn add(there: &mut Vec<Range<usize>>, range: Range<usize>) {
    match there.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => there.push(range),
    }
}
