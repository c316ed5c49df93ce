//! A plugin to read in a minute: adds a column `is_slow` to the table of spans. `slower_than_ms = 250` says what slow is,
//! and with `only = true` the others go.

use weir_sdk::prelude::*;

/// The plugin.
pub struct FlagSlowSpans {
    slower_than_ms: f64,
    only: bool,
    duration_ms: Floats,
    is_slow: Boolean,
}

impl ArrowToArrow for FlagSlowSpans {
    fn configure(settings: &mut Settings, plan: &mut Plan) -> Result<Self, String> {
        Ok(FlagSlowSpans {
            slower_than_ms: settings.number("slower_than_ms", 1000.0)?,
            only: settings.flag("only", false)?,
            duration_ms: plan.floats("spans", "duration_ms")?,
            is_slow: Boolean::new(),
        })
    }

    fn columns(&mut self, table: &str, visit: &mut dyn Visit) {
        if table == "spans" {
            visit.column("is_slow", "Whether the span took longer than it should.", &mut self.is_slow);
        }
    }

    fn transform(&mut self, rows: &Rows<'_>, choice: &mut Choice) -> Result<(), String> {
        let duration_ms = rows.floats(self.duration_ms);
        let is_slow = |row| duration_ms.get(row).is_some_and(|ms| ms > self.slower_than_ms);
        if self.only {
            choice.keep("spans", is_slow);
        }
        for row in choice.rows("spans") {
            self.is_slow.push(is_slow(row));
        }
        Ok(())
    }
}

weir_sdk::export!(FlagSlowSpans as ArrowToArrow);

#[cfg(test)]
mod tests;
