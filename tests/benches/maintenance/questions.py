# What questions for one trace, one service and one hour read of the table `at`, for the oracle's `python`.
#
# `asked` holds the values, by kind, or is None: then those are taken that `weir table layout` takes. `planned` is what
# PyIceberg plans for the latter, files and bytes, on average, to be compared with what the command says.
import os
import statistics
import time

import pyarrow.parquet as pq
from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, LessThan

TIMES = 3
COLUMN = {"trace": "trace_id", "service": "service_name", "hour": "timestamp"}
# What is asked of each, and the columns that it takes; all where there are none.
QUESTIONS = {
    "trace": ("SELECT * FROM {table} WHERE trace_id = '{value}'", ()),
    "service": ("SELECT operation_name, count(*), avg(duration_ms) FROM {table} WHERE service_name = '{value}' GROUP BY 1",
                ("operation_name", "duration_ms", "service_name")),
    "hour": ("SELECT service_name, count(*), avg(duration_ms) FROM {table} WHERE timestamp >= TIMESTAMPTZ '{value}'"
             " AND timestamp < TIMESTAMPTZ '{value}' + INTERVAL 1 HOUR GROUP BY 1",
             ("service_name", "duration_ms", "timestamp")),
}
t = load(at)


def local(uri):
    return uri.removeprefix("file://").removeprefix("file:")


def hour_after(text):
    return datetime.datetime.fromisoformat(text) + datetime.timedelta(hours=1)


def first(path, kind):
    """The first value of a column in a file; of a time its hour."""
    value = next(pq.ParquetFile(local(path)).iter_batches(batch_size=1, columns=[COLUMN[kind]])).column(0)[0].as_py()
    if kind != "hour":
        return value
    return value.astimezone(datetime.timezone.utc).replace(minute=0, second=0, microsecond=0).isoformat()


def samples(kind):
    entries = t.inspect.entries().select(["status", "sequence_number", "data_file"]).to_pylist(maps_as_pydicts="lossy")
    live = sorted((e["sequence_number"], e["data_file"]["file_path"]) for e in entries if e["status"] != 2)
    step = max(-(-len(live) // 5), 1)
    return sorted({first(path, kind) for _, path in live[::step]})


def plan(kind, value):
    column = COLUMN[kind]
    if kind == "hour":
        wanted = And(GreaterThanOrEqual(column, value), LessThan(column, hour_after(value).isoformat()))
    else:
        wanted = EqualTo(column, value)
    return [task.file for task in t.scan(row_filter=wanted).plan_files()]


def may_hold(chunk, kind, value):
    """Whether a column chunk may hold it, by its statistics."""
    s = chunk.statistics
    if s is None or not s.has_min_max:
        return True
    if kind != "hour":
        return s.min <= value <= s.max
    lower, upper = (v if v.tzinfo else v.replace(tzinfo=datetime.timezone.utc) for v in (s.min, s.max))
    return lower < hour_after(value) and upper >= datetime.datetime.fromisoformat(value)


def chunk_bytes(files, kind, value):
    """Compressed bytes of the question's columns in row groups that statistics do not rule out."""
    columns, total = QUESTIONS[kind][1], 0
    for file in files:
        footer = pq.read_metadata(local(file.file_path))
        for group in (footer.row_group(n) for n in range(footer.num_row_groups)):
            chunks = [group.column(n) for n in range(group.num_columns)]
            asked_of = next(c for c in chunks if c.path_in_schema == COLUMN[kind])
            if may_hold(asked_of, kind, value):
                total += sum(c.total_compressed_size for c in chunks
                             if not columns or c.path_in_schema.split(".")[0] in columns)
    return total


def bytes_read():
    """What this process has read so far, wherever it came from."""
    with open("/proc/self/io") as io:
        return int(next(io).split()[1])


def run(kind, value):
    """By DuckDB: bytes, wall and CPU milliseconds, and the rows that it is about."""
    sql = QUESTIONS[kind][0].format(table=f"iceberg_scan('{at['folder']}')", value=value)
    walls, cpus = [], []
    for _ in range(TIMES):
        before, wall, cpu = bytes_read(), time.perf_counter(), time.process_time()
        rows = duck.execute(sql).fetchall()
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((time.process_time() - cpu) * 1e3)
        read = bytes_read() - before
    count = len(rows) if kind == "trace" else sum(row[1] for row in rows)
    return read, statistics.median(walls), statistics.median(cpus), count


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def ask(kind, values):
    plans = {value: plan(kind, value) for value in values}
    runs = [run(kind, value) for value in values]
    return {
        "values": values,
        "files": mean(len(files) for files in plans.values()),
        "file_bytes": mean(sum(f.file_size_in_bytes for f in files) for files in plans.values()),
        "chunk_bytes": mean(chunk_bytes(files, kind, value) for value, files in plans.items()),
        "read": mean(r[0] for r in runs), "wall_ms": mean(r[1] for r in runs), "cpu_ms": mean(r[2] for r in runs),
        "rows": sum(r[3] for r in runs),
    }


# Or the second time would read nothing.
duck.execute("SET enable_external_file_cache = false")
result = {}
for kind in COLUMN:
    own = samples(kind)
    plans = [plan(kind, value) for value in own]
    result[kind] = ask(kind, asked[kind]["values"] if asked else own)
    result[kind]["planned"] = [mean(len(files) for files in plans),
                               mean(sum(f.file_size_in_bytes for f in files) for files in plans)]
