"""Protobuf's wire format, read and changed where it lies. Nothing is copied but what changes."""

KEEP = object()
"""What is decided of a field or an attribute that stays as it is."""
DROP = object()
"""What is decided of one that goes."""

_TRUNCATED = "the message ends within a field"
_GROUP = "a group ends that did not begin, or lies too deep"


class Malformed(Exception):
    """A message that is not what it should be, and where. The record that holds it is refused."""

    def __init__(self, fault, at, length):
        super().__init__(f"not OTLP protobuf: {fault} at byte {at} of {length}")


def varint(v, at, end):
    """The varint at `at`, and where it ends."""
    value = 0
    for index in range(10):
        if at + index >= end:
            raise Malformed(_TRUNCATED, at, len(v))
        byte = v[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80 and not (index == 9 and byte > 1):
            return value, at + index + 1
    raise Malformed("a varint is longer than 64 bits", at, len(v))


def field(v, at, end):
    """The field at `at`: its number, its wire type, and the bytes [start, stop) that its value lies in."""
    tag, start = varint(v, at, end)
    if not 8 <= tag < 1 << 32:
        raise Malformed("a field number is 0 or too large", at, len(v))
    wire_type = tag & 7
    if wire_type == 2:
        length, start = varint(v, start, end)
        stop = start + length
    elif wire_type == 0:
        _, stop = varint(v, start, end)
    elif wire_type == 1:
        stop = start + 8
    elif wire_type == 5:
        stop = start + 4
    elif wire_type == 3:
        stop = _group(v, start, end, [tag >> 3])
    elif wire_type == 4:
        raise Malformed(_GROUP, start, len(v))
    else:
        raise Malformed("there is no such wire type", start, len(v))
    if stop > end:
        raise Malformed(_TRUNCATED, start, len(v))
    return tag >> 3, wire_type, start, stop


def _group(v, at, end, within):
    """The end of a group, and of the groups within."""
    while within:
        if at >= end:
            raise Malformed(_TRUNCATED, end, len(v))
        tag, start = varint(v, at, end)
        if tag & 7 == 4 and tag >= 8:
            if within.pop() != tag >> 3:
                raise Malformed(_GROUP, start, len(v))
            at = start
        elif tag & 7 == 3 and tag >= 8:
            if len(within) == 16:
                raise Malformed(_GROUP, start, len(v))
            within.append(tag >> 3)
            at = start
        else:
            at = field(v, at, end)[3]
    return at


def fields(v, at, end):
    """The fields of the message in v[at:end]."""
    while at < end:
        found = field(v, at, end)
        yield found
        at = found[3]


def length_of(v, found):
    """The bytes [start, stop) of a field of bytes or of a message; refuses one of another wire type."""
    _, wire_type, start, stop = found
    if wire_type != 2:
        raise Malformed("a field has the wrong wire type", stop, len(v))
    return start, stop


def encoded(number, inner):
    """A field of bytes: tag, length, and the bytes."""
    if number < 16 and len(inner) < 0x80:
        return bytes((number << 3 | 2, len(inner))) + inner
    return _varint(number << 3 | 2) + _varint(len(inner)) + inner


def _varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def edit(v, at, end, decide):
    """The message in v[at:end] with some of its fields replaced or dropped; KEEP where each stays. `decide(field)` says
    KEEP, DROP, or the bytes that a field of bytes has from now on."""
    out, done = None, at
    while at < end:
        begin = at
        found = field(v, at, end)
        at = found[3]
        replacement = decide(found)
        if replacement is KEEP:
            continue
        if out is None:
            out = []
        out.append(v[done:begin])
        if replacement is not DROP:
            out.append(encoded(found[0], replacement))
        done = at
    if out is None:
        return KEEP
    out.append(v[done:end])
    return b"".join(out)
