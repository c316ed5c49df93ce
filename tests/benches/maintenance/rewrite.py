"""Iceberg's procedure rewrite_data_files, once, in a Spark session of its own: what it did, as a line of JSON."""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "spark"))
from job import session  # noqa: E402


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
