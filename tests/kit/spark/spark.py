"""Runs Spark SQL with Iceberg: spark.py JARS; a request and an answer are a line of JSON each.

{"op": "session", "catalog": NAME, "properties": {...}} answers the number of a new session, {"op": "sql",
"session": NUMBER, "sql": TEXT} the rows. An answer is {"ok": VALUE} or {"error": TEXT}.
"""
import datetime
import decimal
import json
import os
import sys

from pyspark.sql import Row, SparkSession


def start(jars):
    os.environ["PYSPARK_PYTHON"] = sys.executable
    options = {
        "spark.driver.extraClassPath": os.path.join(jars, "*"),
        "spark.driver.memory": "1g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    }
    builder = SparkSession.builder.appName("weir-tests").master("local[2]")
    for key, value in options.items():
        builder = builder.config(key, value)
    made = builder.getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    return made


def plain(value):
    if isinstance(value, Row):
        return {key: plain(inner) for key, inner in value.asDict().items()}
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="microseconds") + "Z"
    if isinstance(value, (datetime.date, decimal.Decimal)):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


def answer(sessions, op, **request):
    if op == "sql":
        return plain(sessions[request["session"]].sql(request["sql"]).collect())
    made = sessions[0].newSession()
    prefix = f"spark.sql.catalog.{request['catalog']}"
    made.conf.set(prefix, "org.apache.iceberg.spark.SparkCatalog")
    # Tables change under Spark's feet in these tests: read the head each time.
    made.conf.set(f"{prefix}.cache-enabled", "false")
    for key, value in request["properties"].items():
        made.conf.set(f"{prefix}.{key}", value)
    sessions.append(made)
    return len(sessions) - 1


def main():
    # Times are handed over in this process's zone.
    os.environ["TZ"] = "UTC"
    # What Spark prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sessions = [start(sys.argv[1])]
    for line in sys.stdin:
        try:
            result = {"ok": answer(sessions, **json.loads(line))}
        except Exception as error:
            result = {"error": str(error)}
        answers.write(json.dumps(result) + "\n")
        answers.flush()


main()
