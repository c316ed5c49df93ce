import struct
import unittest
from types import SimpleNamespace

import weir
from weir import column
from weir.guest import Deriver, Failed, Refusal, Rewriter

counted = {}


def rewriter(plugin_class):
    counted.clear()
    return Rewriter(plugin_class, counted.__setitem__)


def batch(*values):
    messages = [SimpleNamespace(value=value, offset=40 + at) for at, value in enumerate(values)]
    return "traces", "t", 0, messages


class Rules(unittest.TestCase):
    def test_settings_are_read_by_kind_and_the_unknown_are_refused(self):
        class Plugin:
            def __init__(self, settings):
                self.read = [settings.list("hash"), settings.number("n", 5), settings.flag("f"), settings.text("t")]

        plugin = rewriter(Plugin)
        plugin.configure([("hash", ["a", "b"]), ("n", ["1_000"]), ("f", ["true"])])
        self.assertEqual(plugin._plugin.read, [["a", "b"], 1000, True, None])
        for settings, told in [
            ([("hush", ["a"])], "unknown setting `hush`; did you mean `hash`? (there are: f, hash, n, t)"),
            ([("n", ["many"])], "setting `n` is a number, not `many`"),
            ([("t", ["a", "b"])], "setting `t` takes one value, not an array of 2"),
            ([("f", ["yes"])], "setting `f` is true or false, not `yes`"),
        ]:
            with self.assertRaises(Failed) as raised:
                plugin.configure(settings)
            self.assertEqual(str(raised.exception), told)

    def test_a_refused_record_counts_nothing_and_its_neighbours_go_on(self):
        class Plugin:
            def __init__(self, settings):
                pass

            def transform(self, message, context):
                context.count("seen")
                if message.value == b"1":
                    raise Refusal("one")
                if message.value == b"2":
                    weir.keep_spans(b"\x00", lambda *_: True)
                return b"9" if message.value == b"3" else message.value

        plugin = rewriter(Plugin)
        plugin.configure([])
        outcomes = plugin.transform(*batch(b"0", b"1", b"2", b"3"))
        self.assertEqual((outcomes[0], outcomes[3]), (None, b"9"))
        self.assertEqual(str(outcomes[1]), "one")
        self.assertEqual(str(outcomes[2]), "not OTLP protobuf: a field number is 0 or too large at byte 0 of 1")
        self.assertEqual(counted, {"seen": 2})

    def test_a_mistake_is_told_with_function_record_and_place(self):
        class Plugin:
            def __init__(self, settings):
                pass

            def transform(self, message, context):
                return None if message.value == b"0" else {}["key"]

        plugin = rewriter(Plugin)
        plugin.configure([])
        place = r"record 1 of 1 \(offset 40\): KeyError: 'key'; at test_guest\.py:\d+ transform"
        with self.assertRaisesRegex(Failed, place):
            plugin.transform(*batch(b"1"))
        with self.assertRaisesRegex(Failed, "TypeError: transform gives the record's value, changed or not, and it gave None"):
            plugin.transform(*batch(b"0"))

        class Broken:
            def __init__(self, settings):
                1 / 0

        with self.assertRaisesRegex(Failed, r"^configure: ZeroDivisionError: .*; at test_guest\.py:\d+ __init__"):
            rewriter(Broken).configure([])
        with self.assertRaisesRegex(TypeError, "NoTransform has no method transform"):
            weir.otlp_to_otlp(type("NoTransform", (), {}))


def field(name, type_, children=0):
    return name, type_, True, "", children


TABLES = [
    ("spans", "", [
        field("tags", "map", 1), field("entry", "struct", 2), field("key", "utf8"), field("value", "utf8"),
        field("kind", "dictionary", 1), field("values", "utf8"), field("at", "timestamp-utc"), field("ms", "float64"),
        field("name", "utf8"), field("ok", "boolean"),
    ])
]


def utf8(*texts):
    offsets = [sum(map(len, texts[:at])) for at in range(len(texts) + 1)]
    return [b"", struct.pack(f"<{len(offsets)}i", *offsets), "".join(texts).encode()]


# kind, at, ms and ok of four rows; the second has no kind, the last no duration.
ROWS = (4, [
    b"\x0d", struct.pack("<4i", 1, 0, 0, 1), *utf8("CLIENT", "SERVER"),
    b"", struct.pack("<4q", 1, -1, 2**53 + 1, 1_700_000_000_000_000) + b"longer",
    b"\x07", struct.pack("<4d", 1.5, 2, 3, 4),
    b"", b"\x05",
])


class Columns(unittest.TestCase):
    def test_columns_are_read_rows_chosen_columns_made(self):
        class Plugin:
            def __init__(self, settings, plan):
                self.ms, self.kind = plan.floats("spans", "ms"), plan.texts("spans", "kind")
                self.at, self.ok = plan.ints("spans", "at"), plan.bools("spans", "ok")
                spans = plan.table("spans").without("name").rename("at", "time")
                self.slow = spans.add("slow", column.boolean("Slow."))
                self.copy = spans.add("kind", column.dictionary())

            def transform(self, choice):
                self.read = [list(one) for one in (self.kind, self.at, self.ms, self.ok)]
                choice.keep("spans", lambda row: row != 2)
                for row in choice.rows("spans"):
                    self.slow.push(None if self.ms[row] is None else self.ms[row] > 1.7)
                    self.copy.push(self.kind[row])
                choice.refuse("spans", 3, "three")

        plugin = Deriver(Plugin, lambda *_: None)
        plan = plugin.configure([], TABLES)
        self.assertEqual(plan.reads, [[1, 2, 3, 5]])
        (table,) = plan.tables
        self.assertEqual(table.kept, [(0, "tags", "tags"), (2, "at", "time"), (3, "ms", "ms"), (5, "ok", "ok")])
        self.assertEqual([one.fields()[0] for one in table.made], [("slow", "boolean", True, "Slow.", 0), ("kind", "dictionary", True, "", 1)])
        (taken,), refused = plugin.transform([ROWS])
        self.assertEqual(plugin._plugin.read, [
            ["SERVER", None, "CLIENT", "SERVER"], [1, -1, 2**53 + 1, 1_700_000_000_000_000], [1.5, 2, 3, None],
            [True, False, True, False],
        ])
        self.assertEqual(refused, [(0, 3, "three")])
        rows, count, nodes, buffers = taken
        self.assertEqual((rows, count, nodes), ([0, 1, 3], 3, [(3, 1), (3, 1), (1, 0)]))
        self.assertEqual(buffers, [b"\x03", b"\x02", b"\x05", struct.pack("<3i", 0, 0, 0), *utf8("SERVER")])

    def test_each_kind_of_column_is_laid_out_as_arrow_has_it_and_takes_nothing_else(self):
        def made(one, *values):
            one.name = "c"
            one.extend(values)
            buffers = []
            one.take([], buffers)
            return buffers[1:]

        self.assertEqual(made(column.int64(), -1, 2**63 - 1, None), [struct.pack("<3q", -1, 2**63 - 1, 0)])
        self.assertEqual(made(column.date(), 20_000), [struct.pack("<i", 20_000)])
        self.assertEqual(made(column.float32(), 1.5, 2), [struct.pack("<2f", 1.5, 2)])
        self.assertEqual(made(column.text(), "a", None, b"b"), [struct.pack("<4i", 0, 1, 1, 2), b"ab"])
        for one, value, told in [
            (column.int32(), 1.5, "column `c` takes whole numbers of 32 bits, not 1.5 (value 0)"),
            (column.int32(), 2**31, "column `c` takes whole numbers of 32 bits, not 2147483648 (value 0)"),
            (column.boolean(), "x", "column `c` takes True or False, not 'x' (value 0)"),
            (column.binary(), "x", "column `c` takes bytes, not 'x' (value 0)"),
        ]:
            with self.assertRaises(TypeError) as raised:
                made(one, value)
            self.assertEqual(str(raised.exception), told)

    def test_what_does_not_fit_the_tables_is_told(self):
        def told(use):
            class Plugin:
                def __init__(self, settings, plan):
                    use(plan)

            with self.assertRaises(Failed) as raised:
                Deriver(Plugin, None).configure([], TABLES)
            return str(raised.exception)

        there = "(there are: tags, kind, at, ms, name, ok)"
        self.assertEqual(told(lambda plan: plan.texts("spans", "color")), f"there is no column in table `spans`, named `color` {there}")
        self.assertEqual(
            told(lambda plan: plan.floats("spans", "kind")),
            "it needs a column of floating-point numbers, and `kind` of table `spans` is dictionary",
        )
        self.assertEqual(told(lambda plan: plan.table("logs")), "there is no table `logs` (there are: spans)")

        class Short:
            def __init__(self, settings, plan):
                self.slow = plan.table("spans").add("slow", column.boolean())

            def transform(self, choice):
                self.slow.push(True)

        plugin = Deriver(Short, None)
        plugin.configure([], TABLES)
        for _ in range(2):
            with self.assertRaisesRegex(Failed, "transform of 4 rows: ValueError: column `spans.slow` has 1 values, not 4"):
                plugin.transform([(4, [])])
