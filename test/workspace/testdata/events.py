"""Prints what bronze has, as JSON: for each tag, the instants of its events in ticks of 100 ns."""

import json
import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
rows = spark.sql(
    f"""SELECT tag_name, collect_list(unix_micros(`timestamp`) * 10 + timestamp_100ns)
        FROM {sys.argv[1]} GROUP BY tag_name"""
).collect()
json.dump({name: sorted(ticks) for name, ticks in rows}, sys.stdout)
spark.stop()
