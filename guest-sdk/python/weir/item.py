"""Spans, log records and metrics to look at. An item is read when something of it is first asked for."""

from struct import unpack_from

from .value import Value, key_value
from .wire import Malformed, fields, length_of, varint


class _Item:
    """A part of a record's value."""

    __slots__ = ("_v", "_fields")

    _attributes = 0
    """The number of the attributes' field."""

    def __init__(self, message):
        self._v = message
        self._fields = None

    def attribute(self, key, otherwise=None):
        """The value of the last attribute of this key."""
        name = key.encode()
        for found in reversed(self._all(self._attributes)):
            found_key, value = key_value(self._v, *length_of(self._v, found))
            if found_key == name:
                return value.get()
        return otherwise

    def attributes(self):
        """All attributes, as a dict."""
        pairs = (key_value(self._v, *length_of(self._v, found)) for found in self._all(self._attributes))
        return {key.decode(errors="replace"): value.get() for key, value in pairs}

    def _all(self, number):
        if self._fields is None:
            self._fields = {}
            for found in fields(self._v, 0, len(self._v)):
                self._fields.setdefault(found[0], []).append(found)
        return self._fields.get(number, ())

    def _bytes(self, number):
        found = self._all(number)
        return self._v[slice(*length_of(self._v, found[-1]))] if found else b""

    def _text(self, number):
        return self._bytes(number).decode(errors="replace")

    def _scalar(self, number, wire_type):
        found = self._all(number)
        if not found:
            return None
        _, found_type, start, stop = found[-1]
        if found_type != wire_type:
            raise Malformed("a field has the wrong wire type", stop, len(self._v))
        return start, stop

    def _integer(self, number):
        place = self._scalar(number, 0)
        return varint(self._v, *place)[0] if place else 0

    def _nanos(self, number):
        place = self._scalar(number, 1)
        return unpack_from("<Q", self._v, place[0])[0] if place else 0


class Resource(_Item):
    """What sent the items."""

    __slots__ = ()
    _attributes = 1


class Span(_Item):
    """A span. Times are nanoseconds since 1970."""

    __slots__ = ()
    _attributes = 9

    trace_id = property(lambda self: self._bytes(1).hex())
    span_id = property(lambda self: self._bytes(2).hex())
    parent_span_id = property(lambda self: self._bytes(4).hex())
    name = property(lambda self: self._text(5))
    kind = property(lambda self: self._integer(6), doc="0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.")
    start_time_unix_nano = property(lambda self: self._nanos(7))
    end_time_unix_nano = property(lambda self: self._nanos(8))
    status_code = property(lambda self: _Item(self._bytes(15))._integer(3), doc="0 unset, 1 ok, 2 error.")
    status_message = property(lambda self: _Item(self._bytes(15))._text(2))

    @property
    def duration_ms(self):
        """From begin to end in milliseconds; 0 where it ends before it begins."""
        return max(0, self.end_time_unix_nano - self.start_time_unix_nano) / 1e6


class LogRecord(_Item):
    """A log record. Times are nanoseconds since 1970."""

    __slots__ = ()
    _attributes = 6

    time_unix_nano = property(lambda self: self._nanos(1))
    observed_time_unix_nano = property(lambda self: self._nanos(11))
    severity_number = property(
        lambda self: self._integer(2), doc="1 to 24; 9 is the first of INFO, 17 the first of ERROR; 0 unspecified."
    )
    severity_text = property(lambda self: self._text(3))
    body = property(lambda self: Value(self._bytes(5)).get(), doc="As an attribute's value.")
    trace_id = property(lambda self: self._bytes(9).hex())
    span_id = property(lambda self: self._bytes(10).hex())


class Metric(_Item):
    """A metric."""

    __slots__ = ()
    _attributes = 12

    name = property(lambda self: self._text(1))
    description = property(lambda self: self._text(2))
    unit = property(lambda self: self._text(3))

    @property
    def kind(self):
        """gauge, sum, histogram, exponential_histogram or summary; None where it has no data."""
        kinds = {5: "gauge", 7: "sum", 9: "histogram", 10: "exponential_histogram", 11: "summary"}
        return next((kind for number, kind in kinds.items() if self._all(number)), None)
