"""Attributes and their values."""

from binascii import b2a_base64
from struct import unpack_from

from .wire import Malformed, fields, length_of, varint

_DEPTH_MAX = 64
"""Values may lie in each other so deep: an attribute's value is at depth 1."""

_STRING, _BOOL, _INT, _DOUBLE, _ARRAY, _ENTRIES, _BYTES, _INDEX = range(1, 9)
_WIRE_TYPES = (None, 2, 0, 0, 1, 2, 2, 2, 0)


class Value:
    """The value of an attribute, or a log record's body. Nothing of it is read before it is asked for."""

    __slots__ = ("_message", "_kind", "_held")

    def __init__(self, message):
        """`message` is the bytes of an AnyValue."""
        self._message = message
        self._kind = None

    def get(self):
        """The value as Python has it: str, bool, int, float, bytes, list, dict; None where it is empty."""
        self._read()
        if self._kind == _STRING:
            return self._held.decode(errors="replace")
        if self._kind == _ARRAY:
            return [value.get() for value in self._elements()]
        if self._kind == _ENTRIES:
            return {key.decode(errors="replace"): value.get() for key, value in self._entries()}
        return self._held

    def text(self):
        """The value's text, as UTF-8 bytes (OpenTelemetry specification, common, "AnyValue representation for non-OTLP
        protocols"): a string as it is, numbers and booleans as JSON has them, bytes as base64, nothing for an empty value.
        Arrays and key-value lists are JSON."""
        self._read()
        if self._kind == _STRING:
            return self._held
        if self._held is None:
            return b""
        if self._kind == _BYTES:
            return b2a_base64(self._held, newline=False)
        if self._kind == _DOUBLE:
            return _double(self._held)
        return self._json(1)

    def _read(self):
        """The last of several members wins; arrays and lists that come in pieces are put together."""
        if self._kind is not None:
            return
        v = self._message
        self._kind, self._held = 0, None
        for found in fields(v, 0, len(v)):
            kind, wire_type, start, stop = found
            if not 1 <= kind <= 8:
                continue
            if wire_type != _WIRE_TYPES[kind]:
                raise Malformed("a field has the wrong wire type", stop, len(v))
            if kind == _BOOL:
                held = varint(v, start, stop)[0] != 0
            elif kind == _INT:
                held = varint(v, start, stop)[0]
                held -= (held >> 63) << 64
            elif kind == _DOUBLE:
                (held,) = unpack_from("<d", v, start)
            elif kind == _INDEX:
                # A number in a profile's dictionary, which records do not have.
                held = None
            else:
                held = v[start:stop]
                if kind == self._kind and kind in (_ARRAY, _ENTRIES):
                    held = self._held + held
            self._kind, self._held = kind, held

    def _elements(self):
        v = self._held
        return [Value(v[slice(*length_of(v, found))]) for found in fields(v, 0, len(v)) if found[0] == 1]

    def _entries(self):
        """The last of the entries of each key, in order."""
        v = self._held
        entries = [key_value(v, *length_of(v, found)) for found in fields(v, 0, len(v)) if found[0] == 1]
        last = {key: index for index, (key, _) in enumerate(entries)}
        return [entry for index, entry in enumerate(entries) if last[entry[0]] == index]

    def _json(self, depth):
        self._read()
        kind, held = self._kind, self._held
        if held is None:
            return b"null"
        if kind == _STRING:
            return _quoted(held)
        if kind == _BOOL:
            return b"true" if held else b"false"
        if kind == _INT:
            return str(held).encode()
        if kind == _DOUBLE:
            text = _double(held)
            return text if held - held == 0 else b'"' + text + b'"'
        if kind == _BYTES:
            return b'"' + b2a_base64(held, newline=False) + b'"'
        if kind == _ARRAY:
            return b"[" + b",".join(value._deeper(depth) for value in self._elements()) + b"]"
        return b"{" + b",".join(_quoted(key) + b":" + value._deeper(depth) for key, value in self._entries()) + b"}"

    def _deeper(self, depth):
        if depth >= _DEPTH_MAX:
            raise Malformed("values are nested more than 64 deep", 0, len(self._message))
        return self._json(depth + 1)


def key_value(v, at, end):
    """A KeyValue's key and value; a value in pieces is put together."""
    stop = short_key(v, at, end)
    if stop:
        return v[at + 2 : stop], Value(v[stop + 2 : end])
    key, value = b"", b""
    for found in fields(v, at, end):
        if found[0] == 1:
            key = v[slice(*length_of(v, found))]
        elif found[0] == 2:
            value += v[slice(*length_of(v, found))]
    return key, Value(value)


def short_key(v, at, end):
    """Where the key of a KeyValue ends that is what nearly each is, a short key, then a short value; 0 for any other."""
    if end - at < 4 or v[at] != 0x0A or v[at + 1] > 0x7F:
        return 0
    stop = at + 2 + v[at + 1]
    return stop if stop + 2 <= end and v[stop] == 0x12 and v[stop + 1] <= 0x7F and stop + 2 + v[stop + 1] == end else 0


def _double(value):
    """The shortest decimal that reads back as the same number, as JSON and the other languages' SDKs write it."""
    if value != value:
        return b"NaN"
    if value - value != 0:
        return b"Infinity" if value > 0 else b"-Infinity"
    digits, has_exponent, exponent = repr(value).partition("e")
    if len(digits) > 16 and _is_between(abs(value), digits.lstrip("-"), int(exponent or 0)):
        # Python takes the even one of two that lie as near; the others take the larger.
        digits = digits[:-1] + str(int(digits[-1]) + 1)
    return (digits + (f"e{int(exponent)}" if has_exponent else "")).encode()


def _is_between(value, digits, exponent):
    """Whether a number lies halfway between these digits and those with a last one that is larger by 1."""
    whole, _, part = digits.partition(".")
    doubled, scale = 2 * int(whole + part) + 1, exponent - len(part)
    numerator, denominator = value.as_integer_ratio()
    return 2 * numerator * 10 ** max(-scale, 0) == doubled * denominator * 10 ** max(scale, 0)


_ESCAPES = {byte: b"\\u%04x" % byte for byte in range(0x20)}
_ESCAPES |= {0x22: b'\\"', 0x5C: b"\\\\", 0x0A: b"\\n", 0x0D: b"\\r", 0x09: b"\\t", 0x08: b"\\b", 0x0C: b"\\f"}


def _quoted(text):
    """A JSON string (RFC 8259, section 7). Bytes that are not UTF-8 pass."""
    return b'"' + b"".join(_ESCAPES.get(byte) or bytes((byte,)) for byte in text) + b'"'
