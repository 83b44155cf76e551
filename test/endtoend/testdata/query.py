"""Answers SELECTs for a test: a line of JSON in, the statement; a line out, its rows as texts and nulls."""

import json
import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
for line in sys.stdin:
    rows = spark.sql(json.loads(line)).collect()
    text = {True: "true", False: "false"}
    print(json.dumps([[v if v is None or isinstance(v, str) else text[v] if isinstance(v, bool) else str(v) for v in r] for r in rows]), flush=True)
