"""Columns that a plugin reads. A column looks at the batch of the call that is under way."""

BUFFERS = {
    "boolean": 2, "int32": 2, "int64": 2, "float32": 2, "float64": 2, "date": 2, "timestamp-utc": 2, "timestamp-local": 2,
    "utf8": 3, "binary": 3, "list": 2, "map": 2, "struct": 1, "dictionary": 2,
}
"""How many buffers a field of a type has."""

_CODES = {
    "int32": ("i", 4), "date": ("i", 4), "int64": ("q", 8), "timestamp-utc": ("q", 8), "timestamp-local": ("q", 8),
    "float32": ("f", 4), "float64": ("d", 8),
}


def _view(buffer, code, size, length):
    """The buffer as numbers, not copied. It may be longer than needed."""
    return memoryview(buffer)[: size * length].cast(code)


class _Column:
    """A column of the rows at hand."""

    def __init__(self, type_):
        self.type = type_
        self._length = 0

    def bind(self, rows, buffers, first):
        """Looks at the buffers of a batch; the column's begin at `first`."""
        self._length = rows
        self._validity = buffers[first]
        self._load(buffers, first + 1)

    def __len__(self):
        return self._length

    def __getitem__(self, row):
        """A row's value; None where it has none."""
        if not 0 <= row < self._length:
            raise IndexError(f"row {row} of {self._length}")
        validity = self._validity
        if validity and not validity[row >> 3] >> (row & 7) & 1:
            return None
        return self._value(row)

    def __iter__(self):
        """All values in order."""
        return (self[row] for row in range(self._length))


class Numbers(_Column):
    """Integers, dates in days, timestamps in microseconds, floating-point numbers."""

    def _load(self, buffers, at):
        code, size = _CODES[self.type]
        self.values = _view(buffers[at], code, size, self._length)
        """All values as a memoryview; where a row has none, anything."""

    def _value(self, row):
        return self.values[row]

    def __iter__(self):
        return super().__iter__() if self._validity else iter(self.values)


class Bools(_Column):
    """Booleans."""

    def _load(self, buffers, at):
        self._bits = buffers[at]

    def _value(self, row):
        return bool(self._bits[row >> 3] >> (row & 7) & 1)


class Texts(_Column):
    """Texts, str; of a column of bytes, bytes."""

    def _load(self, buffers, at):
        self._decoded = {}
        self._keys = None
        if self.type == "dictionary":
            self._keys = _view(buffers[at], "i", 4, self._length)
            # A dictionary's values have a validity of their own.
            at += 2
        self._offsets = _view(buffers[at], "i", 4, len(buffers[at]) // 4)
        self._bytes = buffers[at + 1]

    def _value(self, row):
        at = row if self._keys is None else self._keys[row]
        text = self._decoded.get(at)
        if text is None:
            text = self._bytes[self._offsets[at] : self._offsets[at + 1]]
            if self.type != "binary":
                text = text.decode(errors="replace")
            self._decoded[at] = text
        return text


_KINDS = {
    "text": (Texts, ("utf8", "binary", "dictionary")),
    "integers": (Numbers, ("int32", "int64", "date", "timestamp-utc", "timestamp-local")),
    "floating-point numbers": (Numbers, ("float32", "float64")),
    "booleans": (Bools, ("boolean",)),
}


def read_column(kind, table, name, type_):
    """A column that is read."""
    made, types = _KINDS[kind]
    if type_ not in types:
        raise ValueError(f"it needs a column of {kind}, and `{name}` of table `{table}` is {type_}")
    return made(type_)
