"""Runs queries on Spark, over Delta tables that it makes.

Reads from the file that is its argument: what stands before the queries (tables
with their rows as texts, views), and the queries. Writes to standard output one
JSON object: each query's columns and rows.
"""

import datetime
import decimal
import json
import sys

from pyspark.sql import SparkSession


def plain(value):
    """A value as both engines can say it: numbers, and texts for all else."""
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return float(value) if isinstance(value, (int, float, decimal.Decimal)) else value


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        task = json.load(file)
    spark = SparkSession.builder.getOrCreate()
    for schema in task["schemas"]:
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for table in task["tables"]:
        texts = ", ".join(f"`{name}` STRING" for name, _ in table["columns"])
        typed = [f"CAST(`{name}` AS {type_}) AS `{name}`" for name, type_ in table["columns"]]
        frame = spark.createDataFrame(table["rows"], texts).selectExpr(*typed)
        frame.coalesce(1).write.format("delta").saveAsTable(table["name"])
    for view in task["views"]:
        spark.sql(view)
    answers = {}
    for name, query in task["queries"].items():
        frame = spark.sql(query)
        rows = [[plain(value) for value in row] for row in frame.collect()]
        answers[name] = {"columns": frame.columns, "rows": rows}
    spark.stop()
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
