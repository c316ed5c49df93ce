"""Columns that a plugin makes. Each gives its node and its buffers as Arrow lays them out (`interface columns` of the
contract says how)."""

from array import array
from itertools import accumulate


class _Column:
    """A column to fill: a value for each row that stays, or None."""

    def __init__(self, type_, doc):
        self.type = type_
        self.doc = doc
        self.name = ""
        self.clear()

    def push(self, value):
        """Appends a value, or None."""
        if value is None:
            self._nulls += 1
            self._values.append(None)
        else:
            self._values.append(self._checked(value))

    def extend(self, values):
        """Appends all of these."""
        for value in values:
            self.push(value)

    def __len__(self):
        return len(self._values)

    def clear(self):
        self._values = []
        self._nulls = 0

    def fields(self):
        """What describes it, depth first: name, type, nullable, doc, children."""
        return [(self.name, self.type, True, self.doc, 0)]

    def take(self, nodes, buffers):
        """Its nodes and buffers; it is empty then."""
        nodes.append((len(self), self._nulls))
        buffers.append(_bits([value is not None for value in self._values]) if self._nulls else b"")
        self._take_values(nodes, buffers)
        self.clear()

    def _wrong(self, expected, value):
        return TypeError(f"column `{self.name}` takes {expected}, not {value!r:.60} (value {len(self)})")


def _bits(values):
    """A bit for each value, the least significant first."""
    out = bytearray((len(values) + 7) // 8)
    for index, value in enumerate(values):
        if value:
            out[index >> 3] |= 1 << (index & 7)
    return bytes(out)


class _Booleans(_Column):
    def _checked(self, value):
        if value is not True and value is not False:
            raise self._wrong("True or False", value)
        return value

    def _take_values(self, nodes, buffers):
        buffers.append(_bits(self._values))


class _Numbers(_Column):
    def __init__(self, type_, doc, code):
        self._code = code
        self._bits = {"i": 31, "q": 63}.get(code)
        super().__init__(type_, doc)

    def _checked(self, value):
        if self._bits is None:
            if not isinstance(value, (int, float)):
                raise self._wrong("numbers", value)
        elif not isinstance(value, int) or not -(1 << self._bits) <= value < 1 << self._bits:
            raise self._wrong(f"whole numbers of {self._bits + 1} bits", value)
        return value

    def _take_values(self, nodes, buffers):
        values = [value or 0 for value in self._values] if self._nulls else self._values
        buffers.append(array(self._code, values).tobytes())


class _Texts(_Column):
    def _checked(self, value):
        if self.type == "utf8" and isinstance(value, str):
            return value.encode(errors="replace")
        if isinstance(value, bytes):
            return value
        raise self._wrong("bytes" if self.type == "binary" else "str, or bytes of UTF-8", value)

    def _take_values(self, nodes, buffers):
        _take_bytes([value or b"" for value in self._values], buffers)


def _take_bytes(values, buffers):
    buffers.append(array("i", accumulate(map(len, values), initial=0)).tobytes())
    buffers.append(b"".join(values))


class _Dictionary(_Column):
    def _checked(self, value):
        if not isinstance(value, str):
            raise self._wrong("str", value)
        return self._keys.setdefault(value, len(self._keys))

    def clear(self):
        super().clear()
        self._keys = {}

    def fields(self):
        return [(self.name, self.type, True, self.doc, 1), ("values", "utf8", False, "", 0)]

    def _take_values(self, nodes, buffers):
        buffers.append(array("i", [key or 0 for key in self._values]).tobytes())
        nodes.append((len(self._keys), 0))
        buffers.append(b"")
        _take_bytes([key.encode(errors="replace") for key in self._keys], buffers)


def boolean(doc=""):
    """Booleans. `doc` becomes the column's comment in the table; so for the others."""
    return _Booleans("boolean", doc)


def int32(doc=""):
    """Whole numbers of 32 bits."""
    return _Numbers("int32", doc, "i")


def int64(doc=""):
    """Whole numbers of 64 bits."""
    return _Numbers("int64", doc, "q")


def float32(doc=""):
    """Floating-point numbers of 32 bits."""
    return _Numbers("float32", doc, "f")


def float64(doc=""):
    """Floating-point numbers of 64 bits."""
    return _Numbers("float64", doc, "d")


def date(doc=""):
    """Days since 1970."""
    return _Numbers("date", doc, "i")


def timestamp_utc(doc=""):
    """Microseconds since 1970, a point in time."""
    return _Numbers("timestamp-utc", doc, "q")


def timestamp_local(doc=""):
    """Microseconds since 1970 on an unnamed clock."""
    return _Numbers("timestamp-local", doc, "q")


def text(doc=""):
    """Text: str, or bytes of UTF-8."""
    return _Texts("utf8", doc)


def binary(doc=""):
    """Bytes."""
    return _Texts("binary", doc)


def dictionary(doc=""):
    """Text that repeats. The table's column is a string all the same."""
    return _Dictionary("dictionary", doc)
