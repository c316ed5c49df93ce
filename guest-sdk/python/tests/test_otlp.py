import struct
import unittest
from hashlib import sha256

from weir import DROP, KEEP, Malformed, Names, edit_attributes, keep_spans, set_resource_attribute
from weir.value import Value

from .encode import MINUS_SEVEN, attribute, data, message, text

NAMES = Names(["secret", "user"])


def mask(attribute):
    return DROP if attribute.key == "secret" else sha256(attribute.text()).hexdigest()


BEFORE = [attribute("kept", "x"), attribute("secret", "s3cret"), attribute("user", "ada"), attribute("user", MINUS_SEVEN)]
AFTER = [
    BEFORE[0],
    attribute("user", sha256(b"ada").hexdigest()),
    attribute("user", sha256(b"-7").hexdigest()),
]


def records(all_):
    """Attributes on each level of each signal."""

    def as_(number):
        return message(*((number, attribute) for attribute in all_))

    def point(attributes, exemplars=None):
        return as_(attributes) + (message((exemplars, as_(7))) if exemplars else b"")

    def around(item):
        return message((1, message((1, as_(1)), (2, message((1, message((1, "scope")) + as_(3)), (2, item))))))

    def metric(kind, attributes, exemplars=None):
        return around(message((1, "m")) + as_(12) + message((kind, message((1, point(attributes, exemplars))))))

    yield "traces", around(message((5, "secret")) + as_(9) + message((11, as_(3)), (13, as_(4))))
    yield "logs", around(as_(6))
    for kind in ((5, 7, 5), (7, 7, 5), (9, 9, 8), (10, 1, 11), (11, 7)):
        yield "metrics", metric(*kind)


class Otlp(unittest.TestCase):
    def test_attributes_are_removed_or_hashed_on_all_levels_of_all_signals(self):
        for (signal, before), (_, after) in zip(records(BEFORE), records(AFTER)):
            self.assertEqual(edit_attributes(signal, before, NAMES, mask), after)
            every = lambda attribute: mask(attribute) if attribute.key in ("secret", "user") else KEEP
            self.assertEqual(edit_attributes(signal, before, None, every), after)

    def test_a_record_in_which_nothing_changes_is_given_back_itself(self):
        for signal, value in records(BEFORE):
            self.assertIs(edit_attributes(signal, value, Names(["other"]), mask), value)
            self.assertIs(edit_attributes(signal, value, NAMES, lambda _: KEEP), value)

    def test_what_is_malformed_is_refused_with_its_place(self):
        value = data(message((9, attribute("secret", "x"))))
        faults = [
            (value[:-1], f"the message ends within a field at byte 2 of {len(value) - 1}"),
            (b"\x00", "a field number is 0 or too large at byte 0 of 1"),
            (b"\x80", "the message ends within a field at byte 0 of 1"),
            (b"\x08" + b"\xff" * 9 + b"\x02", "a varint is longer than 64 bits at byte 1 of 11"),
            (b"\x0f", "there is no such wire type at byte 1 of 1"),
            (b"\x0c", "a group ends that did not begin, or lies too deep at byte 1 of 1"),
            (b"\x08\x01", "a field has the wrong wire type at byte 2 of 2"),
            (b"\x0b\x10\x01", "the message ends within a field at byte 3 of 3"),
            (b"\x0a\x05\x00", "the message ends within a field at byte 2 of 3"),
            (b"\x0a\x05", "the message ends within a field at byte 2 of 2"),
            (b"\x0a\x85", "the message ends within a field at byte 1 of 2"),
            (b"\x0a", "the message ends within a field at byte 1 of 1"),
        ]
        for value, fault in faults:
            with self.assertRaises(Malformed) as raised:
                edit_attributes("traces", value, None, mask)
            self.assertEqual(str(raised.exception), f"not OTLP protobuf: {fault}")
        group = bytes([0x13, 0x1B, 0x08, 0x01, 0x1C, 0x14])
        self.assertIs(edit_attributes("traces", group, None, mask), group)

    def test_a_value_in_pieces_is_put_together(self):
        value = data(b"", (1, message((1, "user"), (2, text("wrong")), (2, text("ada")))))
        self.assertEqual(edit_attributes("traces", value, NAMES, mask), data(b"", (1, AFTER[1])))

    def test_values_are_written_as_text_like_everywhere(self):
        def of(*parts):
            return Value(message(*parts)).text().decode()

        def double(value):
            return b"\x21" + struct.pack("<d", value)

        doubles = {
            1.0: "1.0", -0.0: "-0.0", 0.1: "0.1", 1e15: "1000000000000000.0", 1e16: "1e16", 1.5e300: "1.5e300",
            0.0001: "0.0001", 0.00001: "1e-5", -123.25: "-123.25", float("-inf"): "-Infinity", 5e-324: "5e-324",
            7.120236347223045e-307: "7.120236347223045e-307", -(2**-25): "-2.9802322387695313e-8",
            1302221004903688.25: "1302221004903688.3", 1302221004903689.0: "1302221004903689.0",
        }
        for value, expected in doubles.items():
            self.assertEqual(of(double(value)), expected)
        self.assertEqual(of(double(float("nan"))), "NaN")
        self.assertEqual(of(b"\x10\x01"), "true")
        self.assertEqual(of(b"\x18" + b"\x80" * 9 + b"\x01"), "-9223372036854775808")
        self.assertEqual(of((7, "abcd")), "YWJjZA==")
        self.assertEqual(of(), "")
        elements = (text('a"\n\x01'), MINUS_SEVEN, b"", double(float("nan")), message((7, "a")))
        self.assertEqual(of((5, message(*((1, one) for one in elements)))), '["a\\"\\n\\u0001",-7,null,"NaN","YQ=="]')
        self.assertEqual(of((5, message((1, text("a")))), (5, message((1, text("b"))))), '["a","b"]')
        entries = [attribute("a", "1"), attribute("b", "2"), attribute("a", "3")]
        self.assertEqual(of((6, message(*((1, one) for one in entries)))), '{"b":"2","a":"3"}')
        deep = text("x")
        for _ in range(64):
            deep = message((5, message((1, deep))))
        with self.assertRaisesRegex(Malformed, "nested more than 64 deep"):
            Value(deep).text()

    def test_values_are_what_python_has(self):
        of = lambda *parts: Value(message(*parts)).get()
        self.assertEqual(of((1, "grün")), "grün")
        self.assertEqual(of(MINUS_SEVEN), -7)
        self.assertEqual(of((6, message((1, attribute("a", "1"))))), {"a": "1"})
        self.assertEqual(of((7, b"\xff")), b"\xff")
        self.assertIsNone(of())

    def test_spans_go_with_their_scopes_and_resources(self):
        def span(name, took):
            times = b"\x39" + struct.pack("<Q", 1 << 60) + b"\x41" + struct.pack("<Q", (1 << 60) + took)
            return message((5, name), times, (9, attribute("a", "b")))

        service = (1, attribute("service.name", "cart"))
        value = data(span("slow", 5_000_000), service) + data(span("fast", 1_000_000), service)

        def slow(span, resource):
            self.assertEqual(resource.attribute("service.name"), "cart")
            self.assertEqual((span.attribute("a"), span.attribute("c"), span.attributes()), ("b", None, {"a": "b"}))
            return span.duration_ms > 2

        self.assertEqual(keep_spans(value, slow), data(span("slow", 5_000_000), service))
        self.assertIs(keep_spans(value, lambda *_: True), value)
        self.assertEqual(keep_spans(value, lambda *_: False), b"")
        with self.assertRaisesRegex(TypeError, "True or False"):
            keep_spans(value, lambda *_: 1)

    def test_a_resource_attribute_is_set_once_whatever_was_there(self):
        env = attribute("env", "prod")
        set_ = lambda value: set_resource_attribute(value, "env", "prod")
        self.assertEqual(set_(data(b"", (1, attribute("env", "old")), (1, BEFORE[0]))), data(b"", (1, BEFORE[0]), (1, env)))
        bare = message((1, message((2, b""))))
        self.assertEqual(set_(bare), message((1, message((1, message((1, env))), (2, b"")))))
        self.assertEqual(set_(b""), b"")
