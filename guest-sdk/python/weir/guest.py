"""The same rules for every plugin: settings that nobody asked for are refused, the grain of a refusal is the record, a
refused record's counts are taken back, and whatever else is raised says where."""

from .plan import Plan
from .settings import Settings, SettingsError
from .wire import Malformed

_PLACES_MAX = 8
"""Innermost places that an error tells: more do not fit into the host's messages."""


class Refusal(Exception):
    """Raised to refuse a record: it becomes one dead letter with this reason, its neighbours go on."""


class Failed(Exception):
    """What the host is told: the call as a whole could not be done."""


def explain(error):
    """What was raised, and where, innermost first. (The module traceback looks for source files, which there are none of.)"""
    places, at = [], error.__traceback__
    while at:
        code = at.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{at.tb_lineno} {code.co_name}")
        at = at.tb_next
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, ModuleNotFoundError):
        text += "; what a plugin needs is imported at its head, when it is built"
    return f"{text}; at {' < '.join(reversed(places[-_PLACES_MAX:]))}"


class Context:
    """What a batch's records have in common, and the plugin's counters."""

    def __init__(self, signal, topic, partition):
        self.signal = signal
        """traces, logs or metrics."""
        self.topic = topic
        self.partition = partition
        self._counts = _Counts()

    def count(self, counter, amount=1):
        """Adds to a counter, which appears as `weir_plugin_counter_total{plugin, counter}`; taken back where the record is
        refused."""
        self._counts.add(counter, amount)


class _Counts:
    """What a record counts, until it is known that it goes on."""

    def __init__(self):
        self._all = {}
        self._staged = {}

    def add(self, counter, amount):
        if not isinstance(amount, int) or amount < 0:
            raise TypeError(f"counter `{counter}` counts whole numbers, not {amount!r}")
        self._staged[counter] = self._staged.get(counter, 0) + amount

    def forget(self):
        self._staged.clear()

    def settle(self):
        for counter, amount in self._staged.items():
            self._all[counter] = self._all.get(counter, 0) + amount
        self._staged.clear()

    def report(self, add):
        for counter, amount in self._all.items():
            if amount:
                add(counter, amount)


def _configured(make):
    """Makes a plugin: a mistake in the settings is in its own words, anything else says where."""
    try:
        return make()
    except SettingsError as error:
        raise Failed(str(error)) from None
    except BaseException as error:
        raise Failed(f"configure: {explain(error)}") from None


class Rewriter:
    """A plugin that turns OTLP into OTLP; `add` is the host's counter."""

    def __init__(self, plugin_class, add):
        self._class = plugin_class
        self._add = add

    def configure(self, given):
        def make():
            settings = Settings(given)
            self._plugin = self._class(settings)
            settings.refuse_the_rest()

        _configured(make)

    def transform(self, signal, topic, partition, messages):
        """For each message its new value, None where it stays as it is, or a Refusal."""
        context = Context(signal, topic, partition)
        outcomes = []
        for index, message in enumerate(messages):
            context._counts.forget()
            try:
                value = self._plugin.transform(message, context)
                if not isinstance(value, bytes):
                    told = type(value).__name__
                    raise TypeError(f"transform gives the record's value, changed or not, and it gave {told}")
                context._counts.settle()
                outcomes.append(None if value is message.value else value)
            except (Refusal, Malformed) as refusal:
                outcomes.append(Refusal(str(refusal)))
            except BaseException as error:
                record = f"record {index + 1} of {len(messages)} (offset {message.offset})"
                raise Failed(f"transform, {record}: {explain(error)}") from None
        context._counts.report(self._add)
        return outcomes


class Choice:
    """Which rows stay, and which records are refused."""

    def __init__(self, plan, batches):
        self._plan = plan
        self._batches = batches
        self._chosen = {}
        self._counts = _Counts()
        self.refused = []

    def keep(self, table, keep):
        """Keeps those rows of a table that the plugin gives for which `keep(row)` says so. Rows are those of its source."""
        found = self._plan.table(table)
        self._chosen[found] = [row for row in range(self._batches[found.source][0]) if keep(row)]

    def rows(self, table):
        """The rows of its source that a table has as things stand."""
        found = self._plan.table(table)
        return self._chosen.get(found, range(self._batches[found.source][0]))

    def refuse(self, table, row, reason):
        """Refuses the Kafka record that a row of a given table came from: none of its rows reach a table."""
        self.refused.append((self._plan.source(table), row, str(reason)))

    def count(self, counter, amount=1):
        """Adds to a counter."""
        self._counts.add(counter, amount)

    def take(self, table):
        """What a table of the plan gets: its rows, None for all, how many they are, and nodes and buffers."""
        rows, selected = self._chosen.get(table), len(self.rows(table.name))
        nodes, buffers = [], []
        for column in table.made:
            if len(column) != selected:
                raise ValueError(f"column `{table.name}.{column.name}` has {len(column)} values, not {selected}")
            column.take(nodes, buffers)
        if selected == self._batches[table.source][0]:
            rows = None
        return rows, selected, nodes, buffers


class Deriver:
    """A plugin that turns rows into rows."""

    def __init__(self, plugin_class, add):
        self._class = plugin_class
        self._add = add

    def configure(self, given, tables):
        """Gives the plan."""

        def make():
            settings = Settings(given)
            plan = Plan(tables)
            self._plugin = self._class(settings, plan)
            settings.refuse_the_rest()
            return plan

        self._plan = _configured(make)
        return self._plan

    def transform(self, batches):
        """For each table of the plan what `Choice.take` gives, and the rows whose records are refused. `batches` are the
        number of rows and the buffers of each table."""
        try:
            for table in self._plan.tables:
                for column in table.made:
                    column.clear()
            self._plan.bind(batches)
            choice = Choice(self._plan, batches)
            self._plugin.transform(choice)
            taken = [choice.take(table) for table in self._plan.tables]
            choice._counts.settle()
            choice._counts.report(self._add)
            return taken, choice.refused
        except BaseException as error:
            rows = " + ".join(str(rows) for rows, _ in batches)
            raise Failed(f"transform of {rows} rows: {explain(error)}") from None
