"""Changes OTLP protobuf where it lies: what does not change is copied as it is, unknown fields too. Each function gives
back the very value that it was given where nothing changes; then nothing is copied at all."""

from bisect import bisect_left

from .item import LogRecord, Metric, Resource, Span
from .value import key_value, short_key
from .wire import DROP, KEEP, edit, encoded, field, fields, length_of

# The messages on the way to attributes, by field number (opentelemetry-proto's .proto files): another message, or the
# level that the attributes are of.
_EXEMPLAR = {7: "exemplar"}
_NUMBER = {5: _EXEMPLAR, 7: "point"}
_HISTOGRAM = {8: _EXEMPLAR, 9: "point"}
_EXPONENTIAL = {1: "point", 11: _EXEMPLAR}
_SPAN = {9: "span", 11: {3: "event"}, 13: {4: "link"}}
_LOG_RECORD = {6: "log_record"}
_METRIC = {
    5: {1: _NUMBER}, 7: {1: _NUMBER}, 9: {1: _HISTOGRAM}, 10: {1: _EXPONENTIAL}, 11: {1: {7: "point"}}, 12: "metric",
}
_DATA = {
    signal: {1: {1: {1: "resource"}, 2: {1: {3: "scope"}, 2: item}}}
    for signal, item in (("traces", _SPAN), ("logs", _LOG_RECORD), ("metrics", _METRIC))
}


class Names:
    """The keys of attributes that are looked for."""

    def __init__(self, names):
        self._names = {name.encode(): name for name in names}

    def find(self, key):
        """The name that these bytes are; None where they are none of them."""
        return self._names.get(key)

    def places(self, value):
        """Where in a value the bytes of a name lie, in order: a part that has none is not looked into."""
        places = []
        for name in self._names:
            # An empty name lies everywhere: every tag of a key may be one.
            at = value.find(name)
            while at >= 0:
                places.append(at)
                at = value.find(name, at + 1)
        return sorted(places)


class Attribute:
    """An attribute that `edit_attributes` shows."""

    __slots__ = ("level", "key", "_value")

    def __init__(self, level, key, value):
        self.level = level
        """Whose it is: resource, scope, span, event, link, log_record, metric, point or exemplar."""
        self.key = key
        """Its key."""
        self._value = value

    @property
    def value(self):
        """Its value, as Python has it."""
        return self._value.get()

    def text(self):
        """Its value's text, as UTF-8 bytes."""
        return self._value.text()


def edit_attributes(signal, value, names, decide):
    """Decides for each attribute of a record's value that has one of these keys (`Names([...])`; all where it is None), on
    all levels. `decide(attribute)` says KEEP, DROP, or the text (str, or bytes of UTF-8) that it has from now on.

    Attributes within values are not looked at, and a part in which no key's bytes lie is passed by unread: what is malformed
    there is refused by the plugin that reads it."""
    if signal not in _DATA:
        raise ValueError(f"there is no signal `{signal}`: it is traces, logs or metrics")
    places = None if names is None else names.places(value)
    if places == []:
        return value
    edited = _Editor(value, names, places, decide).edit(0, len(value), _DATA[signal])
    return value if edited is KEEP else edited


class _Editor:
    def __init__(self, value, names, places, decide):
        self.value = value
        self.names = names
        self.places = places
        self.decide = decide

    def edit(self, at, end, parts):
        v, places = self.value, self.places
        out, done = None, at
        while at < end:
            begin = at
            # Nearly every field is of bytes, with a number below 16 and a length below 16384.
            tag = v[at]
            if tag < 0x80 and tag & 7 == 2 and tag > 7 and at + 2 < end:
                length = v[at + 1]
                at += 2
                if length > 0x7F:
                    high = v[at]
                    if high > 0x7F:
                        _, _, at, stop = field(v, begin, end)
                        length = stop - at
                    else:
                        length = length & 0x7F | high << 7
                        at += 1
                start, at = at, at + length
                if at > end:
                    field(v, begin, end)
                part = parts.get(tag >> 3)
                if part is None:
                    continue
            else:
                found = field(v, at, end)
                at = found[3]
                tag = found[0] << 3 | 2
                part = parts.get(found[0])
                if part is None:
                    continue
                start, _ = length_of(v, found)
            if places is not None:
                first = bisect_left(places, start)
                if first == len(places) or places[first] >= at:
                    continue
            edited = self.attribute(start, at, part) if type(part) is str else self.edit(start, at, part)
            if edited is KEEP:
                continue
            if out is None:
                out = []
            out.append(v[done:begin])
            if edited is not DROP:
                out.append(encoded(tag >> 3, edited))
            done = at
        if out is None:
            return KEEP
        out.append(v[done:end])
        return b"".join(out)

    def attribute(self, start, stop, level):
        v = self.value
        key, value = key_value(v, start, stop)
        name = key.decode(errors="replace") if self.names is None else self.names.find(key)
        if name is None:
            return KEEP
        change = self.decide(Attribute(level, name, value))
        return change if change is KEEP or change is DROP else _with_text(v, start, stop, change)


def _with_text(v, start, stop, text):
    """The attribute in v[start:stop] with a text for its value."""
    key = short_key(v, start, stop)
    if key:
        without = v[start:key]
    else:
        without = edit(v, start, stop, lambda found: DROP if found[0] == 2 else KEEP)
        without = v[start:stop] if without is KEEP else without
    return without + encoded(2, encoded(1, _bytes_of(text)))


def _bytes_of(text):
    if isinstance(text, str):
        return text.encode(errors="replace")
    if isinstance(text, bytes):
        return text
    raise TypeError(f"an attribute's text is str or bytes, not {type(text).__name__}")


def set_resource_attribute(value, key, text):
    """Sets an attribute of each resource of a record's value to a text: what it had under this key goes."""
    name = key.encode()
    attribute = encoded(1, encoded(1, name) + encoded(2, encoded(1, _bytes_of(text))))

    def items(found):
        if found[0] != 1:
            return KEEP
        start, stop = length_of(value, found)
        is_there = False

        def resource(found):
            nonlocal is_there
            if found[0] != 1:
                return KEEP
            start, stop = length_of(value, found)
            is_it = lambda part: part[0] == 1 and key_value(value, *length_of(value, part))[0] == name
            without = edit(value, start, stop, lambda part: DROP if is_it(part) else KEEP)
            without = value[start:stop] if without is KEEP else without
            # Of a resource in pieces, which are merged, one piece gets it.
            with_it = without if is_there else without + attribute
            is_there = True
            return with_it

        edited = edit(value, start, stop, resource)
        return edited if is_there else encoded(1, attribute) + value[start:stop]

    edited = edit(value, 0, len(value), items)
    return value if edited is KEEP else edited


def keep_spans(value, keep):
    """Keeps the spans for which `keep(span, resource)` says so. Scopes and resources of which no span stays go too, and a
    value of which nothing stays is empty."""
    return _keep_items(value, Span, keep)


def keep_log_records(value, keep):
    """Keeps the log records for which `keep(record, resource)` says so; as keep_spans."""
    return _keep_items(value, LogRecord, keep)


def keep_metrics(value, keep):
    """Keeps the metrics for which `keep(metric, resource)` says so, with all their points; as keep_spans."""
    return _keep_items(value, Metric, keep)


def _keep_items(v, kind, keep):
    def of_resource(start, stop):
        pieces = [v[slice(*length_of(v, found))] for found in fields(v, start, stop) if found[0] == 1]
        resource = Resource(b"".join(pieces))

        def item(start, stop):
            answer = keep(kind(v[start:stop]), resource)
            if not isinstance(answer, bool):
                raise TypeError(f"what says whether to keep gives True or False, not {answer!r}")
            return KEEP if answer else DROP

        return _keep_parts(v, start, stop, 2, lambda start, stop: _keep_parts(v, start, stop, 2, item))

    edited = _keep_parts(v, 0, len(v), 1, of_resource)
    return v if edited is KEEP else b"" if edited is DROP else edited


def _keep_parts(v, start, stop, part, decide):
    """A message of which parts have gone goes itself when none is left. One that never had any stays."""
    left = 0

    def decide_field(found):
        nonlocal left
        if found[0] != part:
            return KEEP
        edited = decide(*length_of(v, found))
        left += edited is not DROP
        return edited

    out = edit(v, start, stop, decide_field)
    return DROP if out is not KEEP and left == 0 else out
