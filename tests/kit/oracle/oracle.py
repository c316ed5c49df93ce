"""Answers what is in an Iceberg table, by PyIceberg and DuckDB: a request and an answer are a line of JSON each.

A request is {"op": NAME, ...}; the answer {"ok": VALUE} or {"error": TEXT}. `at` says where a table is:
{"folder": its folder in a hadoop catalog, "properties": {...}} or {"catalog": name, "table": name, "properties": {...}}.
"""
import datetime
import decimal
import json
import math
import os
import sys
import tempfile
import traceback
import uuid

import boto3  # noqa: F401 for op python
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb_extensions import import_extension
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.io import load_file_io
from pyiceberg.table import StaticTable
from sqlalchemy.exc import OperationalError


class Lazy:
    """DuckDB, connected when it is first used: most tests ask PyIceberg only."""

    connection = None

    def execute(self, sql):
        if self.connection is None:
            options = {"extension_directory": tempfile.mkdtemp(), "autoinstall_known_extensions": False}
            self.connection = duckdb.connect(config=options)
            # Each needs those before it.
            for name in ("icu", "avro", "httpfs", "iceberg"):
                import_extension(name, con=self.connection)
                self.connection.load_extension(name)
            self.connection.execute("SET TimeZone = 'UTC'")
        return self.connection.execute(sql)


duck = Lazy()


def hadoop(folder, properties):
    """The newest metadata of a hadoop catalog's table: the hint may lag behind, as its readers know."""
    io = load_file_io(properties, folder)

    def metadata(version):
        return f"{folder}/metadata/v{version}.metadata.json"

    try:
        with io.new_input(f"{folder}/metadata/version-hint.text").open() as hint:
            version = int(hint.read())
    except FileNotFoundError:
        version = 0
    while io.new_input(metadata(version + 1)).exists():
        version += 1
    if version == 0 or not io.new_input(metadata(version)).exists():
        raise NoSuchTableError(folder)
    return StaticTable.from_metadata(metadata(version), properties)


def catalog(at):
    try:
        return load_catalog(at["catalog"], **at["properties"])
    except OperationalError as error:
        # PyIceberg looks for a catalog's tables and then makes them; Weir may have made them in between.
        if "already exists" not in str(error):
            raise
        return load_catalog(at["catalog"], **at["properties"])


def load(at):
    if "folder" in at:
        return hadoop(at["folder"], at["properties"])
    return catalog(at).load_table(at["table"])


def snapshot(at):
    """The table where it has a current snapshot, else None."""
    try:
        table = load(at)
    except NoSuchTableError:
        return None
    return table if table.current_snapshot() else None


def plain(value):
    """What JSON can hold; see Oracle::rows for the forms."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, datetime.datetime):
        zone = "" if value.tzinfo is None else "Z"
        value = value if value.tzinfo is None else value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return value.isoformat(timespec="microseconds") + zone
    if isinstance(value, (datetime.date, datetime.timedelta, datetime.time, decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(plain(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


def rows(at, columns, filter):
    table = snapshot(at)
    if table is None:
        return []
    kept = {} if filter == "true" else {"row_filter": filter}
    return table.scan(selected_fields=tuple(columns) or ("*",), **kept).to_arrow().to_pylist(maps_as_pydicts="strict")


def count(at):
    table = snapshot(at)
    return None if table is None else table.scan().count()


def span_ids(at):
    table = snapshot(at)
    if table is None:
        return {"count": 0, "distinct": 0, "xor": 0}
    ids = table.scan(selected_fields=("span_id",)).to_arrow()["span_id"]
    xor = 0
    for span_id in ids.to_pylist():
        xor ^= int(span_id, 16)
    return {"count": len(ids), "distinct": pc.count_distinct(ids).as_py(), "xor": xor}


def metadata(at):
    return json.loads(load(at).metadata.model_dump_json(by_alias=True))


def files(at):
    return load(at).inspect.files().to_pylist(maps_as_pydicts="strict")


def append(at, rows):
    table = load(at)
    schema = table.schema().as_arrow()

    def typed(row):
        """Text that stands for a time becomes one; the rest PyArrow converts."""
        return {field.name: datetime.datetime.fromisoformat(value)
                if pa.types.is_timestamp(field.type) and isinstance(value, str) else value
                for field in schema if (value := row.get(field.name)) is not None}

    table.append(pa.Table.from_pylist([typed(row) for row in rows], schema=schema))


def python(at, code):
    names = {**globals(), "at": at}
    exec(code, names)
    return names.get("result")


def run_duckdb(sql):
    return duck.execute(sql).fetchall()


OPS = {"rows": rows, "count": count, "span_ids": span_ids, "metadata": metadata, "files": files, "append": append,
       "python": python, "duckdb": run_duckdb}


def main():
    # What a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": plain(OPS[request.pop("op")](**request))}
        except Exception:
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()
