"""Reads and makes a column of each kind: what the SDK for Python can do with rows. ../rows-c is the same."""

import weir
from weir import column

LABELS = ("", "went well", "failed")


@weir.arrow_to_arrow
class Rows:
    def __init__(self, settings, plan):
        self.refuse = settings.text("refuse", "")
        spans = plan.table("spans").without("events").rename("operation_name", "name")
        self.is_slow = spans.add("is_slow", column.boolean("Whether it took a second or more."))
        self.seconds = spans.add("seconds", column.int64("When it began, since 1970."))
        self.half_ms = spans.add("half_ms", column.float64("Half of what it took; none of what was at once."))
        # Takes the place of the column of this name.
        self.label = spans.add("status_message", column.text("Service and status; none where that is 0."))
        self.name = plan.texts("spans", "operation_name")
        self.service = plan.texts("spans", "service_name")
        self.parent = plan.texts("spans", "parent_span_id")
        self.duration_ms = plan.floats("spans", "duration_ms")
        self.timestamp = plan.ints("spans", "timestamp")
        self.status_code = plan.ints("spans", "status_code")

    def transform(self, choice):
        def is_whole(row):
            if self.name[row] == self.refuse:
                choice.refuse("spans", row, "its name is not liked")
            columns = (self.name, self.timestamp, self.duration_ms, self.service)
            return all(column[row] is not None for column in columns)

        choice.keep("spans", is_whole)
        for row in choice.rows("spans"):
            if self.parent[row] is not None:
                raise ValueError("no span of the sample has a parent")
            ms, status = self.duration_ms[row], self.status_code[row]
            self.is_slow.push(ms >= 1000)
            self.seconds.push(self.timestamp[row] // 1_000_000)
            self.half_ms.push(ms / 2 if ms >= 1 else None)
            self.label.push(f"{self.service[row]} {LABELS[status]}" if status else None)
