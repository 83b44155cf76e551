"""Does, within a Spark session, what the section "spark" of the benchmarks measures.

    spark.py ANSWERS

Requests are lines of JSON on standard input, {"do": NAME, …} with the arguments
of a method of Deeds; each is answered by a line on the descriptor ANSWERS. What is
measured is the wheel's own code, pi_extractor; times are in seconds.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping
from unittest.mock import patch
from urllib.parse import urlencode, urlsplit

from pi_extractor import launcher, pipe, session, shards
from pyspark import StorageLevel

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyspark.sql import DataFrame, SparkSession

Answer = dict[str, Any]


class Deeds:
    """What can be asked for, by name of method."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self.held: DataFrame | None = None

    def stage(self, specs: list[str], lanes: int, schema: str, select: list[str], path: str, program: str) -> Answer:
        """Time the launcher's verb shards; program takes pi-extractor's part, unless it is empty."""
        lane = partial(lane_of, program) if program else shards.run_lane
        with patch.object(pipe, "run_lane", lane):
            return timed(lambda: pipe.shards(self.spark, specs, lanes, schema, select, path))

    def hold(self, specs: list[str], lanes: int, schema: str, program: str) -> Answer:
        """Keep what the shards give in the executors' memory, all of it."""
        events = self.spark.range(0, lanes, 1, lanes).mapInArrow(partial(lane_of, program, specs, lanes), schema)
        # Spark takes what it holds for every part of a query that is the same: the
        # filter makes this another one than the verb's, whose shards have to run.
        self.held = events.where("true").persist(StorageLevel.MEMORY_ONLY)
        rows = self.held.count()
        held = list(self.spark.sparkContext._jsc.sc().getRDDStorageInfo())
        cached = sum(info.numCachedPartitions() for info in held)
        if cached != lanes:
            raise MemoryError(f"{cached} of {lanes} partitions fit into the executors' memory")
        return {"rows": rows, "bytes": sum(info.memSize() for info in held)}

    def stage_held(self, select: list[str], path: str) -> Answer:
        """Time Spark itself on what is held, written as the verb shards does."""
        held = self.held
        assert held is not None
        return timed(lambda: held.selectExpr(*select).write.mode("error").option("compression", "zstd").parquet(path))

    def release(self) -> Answer:
        assert self.held is not None
        self.held.unpersist(blocking=True)
        return {}

    def staged(self, path: str) -> Answer:
        """Give the closing rows of a folder, and count the others."""
        rows = self.spark.read.parquet(path)
        closings = [row.closing for row in rows.where("closing IS NOT NULL").select("closing").collect()]
        return {"closings": closings, "rows": rows.where("closing IS NULL").count()}

    def run(self, task: str, arguments: list[str], environment: Mapping[str, str]) -> Answer:
        """Time a task as the wheel's entry points run it, in this session, and each of its requests."""
        requests: list[tuple[str, float]] = []

        def attend(verb: Any, *rest: Any) -> Any:
            began = time.monotonic()
            last = served(verb, *rest)
            requests.append((verb.func.__name__, time.monotonic() - began))
            return last

        served = pipe.attend
        with patch.object(pipe, "attend", attend):
            began = time.monotonic()
            code = launcher.call(self.spark, task, arguments, {**os.environ, **environment})
            seconds = time.monotonic() - began
        if code != 0:
            raise RuntimeError(f"pi-extractor {task} ended with exit code {code}")
        return {"seconds": seconds, "requests": requests}

    def heap(self) -> Answer:
        """Give what the driver's JVM holds once all garbage is collected, in bytes."""
        java = self.spark.sparkContext._jvm.java.lang
        java.System.gc()
        runtime = java.Runtime.getRuntime()
        return {"bytes": runtime.totalMemory() - runtime.freeMemory()}

    def client(self, url: str, web_ids: list[str], start: str, end: str, inserted: int) -> Answer:
        """Time a client in Python as one writes it at first, and one that is kinder to Spark.

        Both ask for one tag after the other on one connection, decode by json and
        append a dict for each event to a list. Then the first has an INSERT for
        each, of which so many are timed; the second appends all in one commit.
        """
        self.spark.sql("CREATE SCHEMA IF NOT EXISTS client")
        columns = "tag_webid STRING, timestamp TIMESTAMP, value DOUBLE, value_text STRING, quality_good BOOLEAN"
        for table in "one", "many":
            self.spark.sql(f"CREATE OR REPLACE TABLE client.{table} ({columns}) USING delta")
        rows: list[dict[str, Any]] = []
        read = timed(lambda: rows.extend(read_all(url, web_ids, start, end)))["seconds"]

        def insert(row: dict[str, Any]) -> None:
            self.spark.sql(
                "INSERT INTO client.one VALUES (:tag_webid, CAST(:timestamp AS TIMESTAMP), :value, :value_text, :quality_good)",
                args=row,
            )

        def append() -> None:
            frame = self.spark.createDataFrame(rows, columns.replace("TIMESTAMP", "STRING"))
            frame = frame.withColumn("timestamp", frame["timestamp"].cast("TIMESTAMP"))
            frame.write.format("delta").mode("append").saveAsTable("client.many")

        insert(rows[0])  # the first of anything takes longer
        insert_all = timed(lambda: [insert(row) for row in rows[1 : 1 + inserted]])["seconds"]
        append()
        append_all = timed(append)["seconds"]
        each = read / len(rows)
        return {"rows": len(rows), "read": each, "insert": insert_all / inserted, "append": append_all / len(rows)}


def timed(do: Callable[[], object]) -> Answer:
    began = time.monotonic()
    do()
    return {"seconds": time.monotonic() - began}


def lane_of(program: str, specs: list[str], lanes: int, rows: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
    """Run a lane as the wheel does, on a worker, with another program for its own."""
    with patch.object(shards, "local_copy", return_value=program):
        yield from shards.run_lane(specs, lanes, rows)


def read_all(url: str, web_ids: list[str], start: str, end: str) -> Iterator[dict[str, Any]]:
    """Ask for the recorded values of each tag and give them as rows."""
    server = urlsplit(url)
    connection = http.client.HTTPConnection(server.netloc)
    query = urlencode({"startTime": start, "endTime": end, "maxCount": 10_000})
    for web_id in web_ids:
        connection.request("GET", f"{server.path}/streams/{web_id}/recorded?{query}")
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise OSError(f"{response.status}: {body!r}")
        for item in json.loads(body)["Items"]:
            value = item["Value"]
            yield {
                "tag_webid": web_id,
                "timestamp": item["Timestamp"],
                "value": float(value) if isinstance(value, (int, float)) else None,
                "value_text": value["Name"] if isinstance(value, dict) else value if isinstance(value, str) else None,
                "quality_good": item["Good"],
            }
    connection.close()


def main() -> None:
    with os.fdopen(int(sys.argv[1]), "w") as answers:
        deeds = Deeds(session.start())
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = getattr(deeds, request.pop("do"))(**request)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=answers, flush=True)


main()
