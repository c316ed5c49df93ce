"""What a plugin reads of the tables that it is given, and which tables it gives. It begins with all tables and columns
going on as they are."""

from .rows import BUFFERS, read_column
from .settings import SettingsError


def _columns_of(fields):
    """Splits fields (name, type, nullable, doc, children), which lie depth first, into those of each column."""
    columns, missing = [], 0
    for field in fields:
        if missing == 0:
            columns.append([])
        else:
            missing -= 1
        columns[-1].append(field)
        missing += field[4]
    return columns


def _missing(what, name, names):
    return SettingsError(f"there is no {what} `{name}` (there are: {', '.join(names)})")


class Plan:
    """What a plugin reads and gives."""

    def __init__(self, given):
        """`given` is tables of name, doc and fields."""
        self._given = [(name, doc, _columns_of(fields)) for name, doc, fields in given]
        self._reads = [{} for _ in self._given]
        self._tables = [DerivedTable(source, *table) for source, table in enumerate(self._given)]

    @property
    def given(self):
        """The tables that are given, by name: the name and type of each column."""
        return {name: {fields[0][0]: fields[0][1] for fields in columns} for name, _, columns in self._given}

    def texts(self, table, column):
        """Reads a column of text or bytes, dictionary or not."""
        return self._read("text", table, column)

    def ints(self, table, column):
        """Reads a column of integers, dates (days) or timestamps (microseconds)."""
        return self._read("integers", table, column)

    def floats(self, table, column):
        """Reads a column of floating-point numbers."""
        return self._read("floating-point numbers", table, column)

    def bools(self, table, column):
        """Reads a column of booleans."""
        return self._read("booleans", table, column)

    def _read(self, kind, table, column):
        at = self.source(table)
        columns = self._given[at][2]
        for index, (field, *_) in enumerate(columns):
            if field[0] == column:
                try:
                    read = read_column(kind, table, column, field[1])
                except ValueError as error:
                    raise SettingsError(str(error)) from None
                self._reads[at].setdefault(index, []).append(read)
                return read
        raise _missing(f"column in table `{table}`, named", column, [fields[0][0] for fields in columns])

    def table(self, name):
        """A table that goes on, to change it."""
        for table in self._tables:
            if table.name == name:
                return table
        raise _missing("table", name, [table.name for table in self._tables])

    @property
    def tables(self):
        """All tables that go on."""
        return list(self._tables)

    def copy(self, source, name):
        """Another table whose rows come from the given one `source`, with all of its columns."""
        at = self.source(source)
        _, doc, columns = self._given[at]
        self._tables.append(DerivedTable(at, name, doc, columns))
        return self._tables[-1]

    def drop_table(self, name):
        """Ends a table here."""
        self._tables.remove(self.table(name))

    def source(self, name):
        """A given table's index."""
        names = [table[0] for table in self._given]
        if name not in names:
            raise _missing("table", name, names)
        return names.index(name)

    @property
    def reads(self):
        """For each given table the columns that are read."""
        return [sorted(reads) for reads in self._reads]

    def bind(self, batches):
        """Shows a call's rows, each the number of rows and the buffers, to the columns that are read."""
        for table, (rows, buffers) in enumerate(batches):
            first = 0
            for index in sorted(self._reads[table]):
                for column in self._reads[table][index]:
                    column.bind(rows, buffers, first)
                first += sum(BUFFERS[field[1]] for field in self._given[table][2][index])


class DerivedTable:
    """A table that a plugin gives."""

    def __init__(self, source, name, doc, columns):
        self.name = name
        self.doc = doc
        self.source = source
        self.kept = [(index, fields[0][0], fields[0][0]) for index, fields in enumerate(columns)]
        """The source's columns that go on: index, name there, name here."""
        self.made = []
        """The columns that the plugin makes."""

    @property
    def columns(self):
        """The names of its columns that come from its source."""
        return [name for _, _, name in self.kept]

    def keep_only(self, *columns):
        """Keeps these columns alone, in this order."""
        self.kept = [self.kept[self._at(name)] for name in columns]
        return self

    def without(self, *columns):
        """Drops these columns."""
        for name in columns:
            del self.kept[self._at(name)]
        return self

    def rename(self, column, name):
        """Gives a column another name."""
        at = self._at(column)
        self.kept[at] = (*self.kept[at][:2], name)
        return self

    def add(self, name, column):
        """Adds a column; one of the same name that would go on gives place to it. Gives the column back, to be filled."""
        self.kept = [kept for kept in self.kept if kept[2] != name]
        column.name = name
        self.made.append(column)
        return column

    def _at(self, column):
        if column not in self.columns:
            raise _missing(f"column in table `{self.name}`, named", column, self.columns)
        return self.columns.index(column)
