"""The contract's side: what componentize-py generates of it, and what Weir's own classes are in it. Only a component has
the modules that this one imports."""

from componentize_py_types import Err
from wit_world.imports import counters
from wit_world.imports import log as host_log

from . import absent, log
from .guest import Deriver, Failed, Refusal, Rewriter

TYPES = (
    "boolean", "int32", "int64", "float32", "float64", "date", "timestamp-utc", "timestamp-local", "utf8", "binary", "list",
    "struct", "map", "dictionary",
)
"""The contract's `data-type`, in its order."""


def write(level, message):
    """Writes a line to Weir's log."""
    host_log.write(host_log.Level[level], message)


def _begin(settings):
    """The settings, as the plugin is given them. With `configure` the component runs; before, it is built."""
    absent.seal(log)
    return [(setting.key, setting.values) for setting in settings]


def otlp_to_otlp(plugin_class):
    """The class that the contract wants, of one with `transform`."""
    from wit_world.exports import otlp_to_otlp as contract
    from wit_world.imports.records import Signal

    signals = {Signal.TRACES: "traces", Signal.METRICS: "metrics", Signal.LOGS: "logs"}
    plugin = Rewriter(plugin_class, counters.add)

    def lowered(outcome):
        if outcome is None:
            return contract.Outcome_Unchanged()
        if isinstance(outcome, Refusal):
            return contract.Outcome_Rejected(str(outcome))
        return contract.Outcome_Changed(outcome)

    class OtlpToOtlp:
        def configure(self, settings):
            try:
                plugin.configure(_begin(settings))
            except Failed as failed:
                raise Err(str(failed)) from None

        def transform(self, batch):
            try:
                outcomes = plugin.transform(signals[batch.signal], batch.topic, batch.partition, batch.messages)
            except Failed as failed:
                raise Err(str(failed)) from None
            return [lowered(outcome) for outcome in outcomes]

    return OtlpToOtlp


def arrow_to_arrow(plugin_class):
    """The class that the contract wants, of one with `transform`."""
    from wit_world.exports import arrow_to_arrow as contract
    from wit_world.imports.columns import DataType, Field, Node, RecordBatch

    plugin = Deriver(plugin_class, counters.add)

    def raised(field):
        return field.name, TYPES[field.type.value], field.nullable, field.doc, field.children

    def lowered(field):
        name, type_, nullable, doc, children = field
        return Field(name, DataType(TYPES.index(type_)), nullable, doc, children)

    def derived(table):
        columns = [
            contract.Column_Kept(index)
            if old == new
            else contract.Column_Renamed(contract.RenamedColumn(index, new))
            for index, old, new in table.kept
        ]
        columns += [contract.Column_Made([lowered(field) for field in column.fields()]) for column in table.made]
        return contract.DerivedTable(table.name, table.doc, table.source, columns)

    def rows(taken):
        rows, count, nodes, buffers = taken
        selection = contract.Selection_All() if rows is None else contract.Selection_Rows(rows)
        return contract.DerivedRows(selection, RecordBatch(count, [Node(*node) for node in nodes], buffers))

    class ArrowToArrow:
        def configure(self, settings, tables):
            given = [(table.name, table.doc, [raised(field) for field in table.fields]) for table in tables]
            try:
                plan = plugin.configure(_begin(settings), given)
            except Failed as failed:
                raise Err(str(failed)) from None
            return contract.Plan(plan.reads, [derived(table) for table in plan.tables])

        def transform(self, tables):
            try:
                taken, refused = plugin.transform([(table.rows, table.buffers) for table in tables])
            except Failed as failed:
                raise Err(str(failed)) from None
            return contract.Output([rows(one) for one in taken], [contract.RefusedRow(*row) for row in refused])

    return ArrowToArrow
