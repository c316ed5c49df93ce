"""Iceberg's procedure rewrite_data_files, once, in a Spark session of its own: what it did, as a line of JSON."""
import argparse
import json
import os
import sys

from pyspark.sql import SparkSession


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
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.lakehouse": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lakehouse.type": "hadoop",
        "spark.sql.catalog.lakehouse.warehouse": f"file://{args.warehouse}",
    }
    builder = SparkSession.builder.appName("rewrite").master("local[2]")
    for key, value in options.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jars", required=True)
    parser.add_argument("--warehouse", required=True, help="an absolute folder")
    parser.add_argument("--table", required=True)
    parser.add_argument("--strategy", required=True, choices=["binpack", "sort"])
    parser.add_argument("--target", required=True, help="bytes of a file")
    parser.add_argument("--least", required=True, help="files of a partition that are worth it")
    args = parser.parse_args()
    spark = session(args)
    # Without sort_order, `sort` is the table's own.
    done = spark.sql(
        f"CALL lakehouse.system.rewrite_data_files(table => '{args.table}', strategy => '{args.strategy}',"
        f" options => map('target-file-size-bytes', '{args.target}', 'min-input-files', '{args.least}'))")
    print(json.dumps(done.collect()[0].asDict()))
    spark.stop()


main()
