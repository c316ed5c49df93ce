"""OTLP protobuf for tests, field by field."""

from weir.wire import encoded


def message(*parts):
    """A message of fields (number, str or bytes), and of bytes as they are."""
    out = b""
    for part in parts:
        if isinstance(part, bytes):
            out += part
        else:
            number, value = part
            out += encoded(number, value.encode() if isinstance(value, str) else value)
    return out


def text(value):
    return message((1, value))


def attribute(key, value):
    """An attribute; `value` is a text or an AnyValue."""
    return message((1, key), (2, text(value) if isinstance(value, str) else value))


MINUS_SEVEN = b"\x18\xf9" + b"\xff" * 8 + b"\x01"


def data(item, *resource):
    return message((1, message((1, message(*resource)), (2, message((2, item))))))
