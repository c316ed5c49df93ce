"""The Structured Streaming job that Weir takes the place of, Kafka -> Iceberg, mended so that it is a fair baseline.

It makes the table, reads what the topic holds once (availableNow) and ends. All thirteen columns are filled, times are
exact to the microsecond, and no expression throws on odd data. What from_json cannot read is still lost.
"""
import argparse
import json
import os
import sys

from pyspark.sql import SparkSession

TABLE = "lakehouse.telemetry.traces"

# 64-bit integers are STRING: OTLP/JSON writes them as text, and from_json takes numbers for STRING too. Values that
# nest without end keep their JSON text.
KEY_VALUES = """ARRAY<STRUCT<key: STRING, value: STRUCT<stringValue: STRING, boolValue: BOOLEAN, intValue: STRING,
    doubleValue: DOUBLE, bytesValue: STRING, arrayValue: STRING, kvlistValue: STRING>>>"""
REQUEST = f"""STRUCT<resourceSpans: ARRAY<STRUCT<resource: STRUCT<attributes: {KEY_VALUES}>,
    scopeSpans: ARRAY<STRUCT<spans: ARRAY<STRUCT<traceId: STRING, spanId: STRING, parentSpanId: STRING, name: STRING,
        kind: INT, startTimeUnixNano: STRING, endTimeUnixNano: STRING, attributes: {KEY_VALUES},
        events: ARRAY<STRUCT<timeUnixNano: STRING, name: STRING, attributes: {KEY_VALUES}>>,
        status: STRUCT<code: INT, message: STRING>>>>>>>>"""


def time(nanos):
    return f"timestamp_micros(try_cast({nanos} AS BIGINT) div 1000)"


def strings(key_values):
    """A map of texts; of a key that comes twice the last value counts (mapKeyDedupPolicy)."""
    kinds = ["stringValue", "intValue", "doubleValue", "boolValue", "bytesValue", "arrayValue", "kvlistValue"]
    texts = ", ".join(f"CAST(kv.value.{kind} AS STRING)" for kind in kinds)
    return (f"map_from_entries(transform(coalesce({key_values}, array()),"
            f" kv -> struct(kv.key, coalesce({texts}, ''))))")


COLUMNS = [
    f"{time('span.startTimeUnixNano')} AS timestamp",
    "span.traceId AS trace_id",
    "span.spanId AS span_id",
    "nullif(span.parentSpanId, '') AS parent_span_id",
    f"{strings('resource.attributes')}['service.name'] AS service_name",
    "span.name AS operation_name",
    """element_at(array('UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'),
        CASE WHEN span.kind BETWEEN 0 AND 5 THEN span.kind + 1 ELSE 1 END) AS span_kind""",
    "(try_cast(span.endTimeUnixNano AS BIGINT) - try_cast(span.startTimeUnixNano AS BIGINT)) / 1e6D AS duration_ms",
    "coalesce(span.status.code, 0) AS status_code",
    "span.status.message AS status_message",
    f"{strings('span.attributes')} AS attributes",
    f"{strings('resource.attributes')} AS resource_attributes",
    f"""transform(coalesce(span.events, array()), e -> named_struct('timestamp', {time('e.timeUnixNano')},
        'name', e.name, 'attributes', {strings('e.attributes')})) AS events""",
]


def session(args):
    os.environ["PYSPARK_PYTHON"] = sys.executable
    options = {
        "spark.driver.extraClassPath": os.path.join(args.jars, "*"),
        "spark.driver.memory": "2g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.mapKeyDedupPolicy": "LAST_WIN",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.lakehouse": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lakehouse.type": "hadoop",
        "spark.sql.catalog.lakehouse.warehouse": f"file://{args.warehouse}",
    }
    builder = SparkSession.builder.appName("baseline").master("local[2]")
    for key, value in options.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def rows(spark, args):
    source = spark.readStream.format("kafka")
    options = {"kafka.bootstrap.servers": args.brokers, "subscribe": args.topic, "startingOffsets": args.start,
               "maxOffsetsPerTrigger": 1_000_000}
    for key, value in options.items():
        source = source.option(key, value)
    requests = source.load().selectExpr(f"from_json(CAST(value AS STRING), '{REQUEST}') AS request")
    resources = requests.selectExpr("explode(request.resourceSpans) AS rs")
    scopes = resources.selectExpr("rs.resource AS resource", "explode(rs.scopeSpans) AS ss")
    return scopes.selectExpr("resource", "explode(ss.spans) AS span").selectExpr(*COLUMNS)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--warehouse", required=True, help="an absolute folder")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--jars", required=True)
    parser.add_argument("--columns", required=True, help="the file with the table's columns")
    parser.add_argument("--start", default="earliest", help="latest reads nothing: what the job costs by itself")
    args = parser.parse_args()
    spark = session(args)
    spark.sql("CREATE NAMESPACE IF NOT EXISTS lakehouse.telemetry")
    with open(args.columns) as columns:
        spark.sql(f"CREATE TABLE IF NOT EXISTS {TABLE} {columns.read()}")
    stream = rows(spark, args).writeStream.format("iceberg").outputMode("append")
    stream = stream.option("checkpointLocation", args.checkpoint).trigger(availableNow=True)
    query = stream.toTable(TABLE)
    query.awaitTermination()
    records = sum(progress["numInputRows"] for progress in query.recentProgress)
    print(json.dumps({"records": records, "triggers": len(query.recentProgress)}))
    spark.stop()


if __name__ == "__main__":
    main()
