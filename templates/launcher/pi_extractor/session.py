"""Gets the Spark session, or says in a sentence why there is none."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from pi_extractor.outcome import TaskFailed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MOST_RETRIES = 5  # of a call to a server of Spark Connect; the waits between them grow to 4 s


def start() -> SparkSession:
    """Give this process's session: the cluster's, SPARK_REMOTE's, or one that starts here."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise TaskFailed(
            "this Python has no pyspark\n"
            "hint: run the task on Databricks, or install pyspark and delta-spark 4.0 or newer beside the wheel"
        ) from error
    # It prints the stack of every statement that fails, also of those that the program expects to.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    elsewhere = "DATABRICKS_RUNTIME_VERSION" not in os.environ  # the platform sees to what follows
    try:
        session = SparkSession.builder.getOrCreate()
        if elsewhere and is_remote(session):
            limit_retries(session)
        _ = session.version  # a remote session meets its server only when it is asked for something
    except Exception as error:
        raise TaskFailed(f"Spark did not start: {str(error).splitlines()[0]}\nhint: {remedy()}") from error
    if elsewhere:
        require_delta(session)
    return session


def is_remote(session: SparkSession) -> bool:
    """Say whether the session is one of Spark Connect, whose module needs more than a classic one has."""
    return type(session).__module__.startswith("pyspark.sql.connect.")


def limit_retries(session: SparkSession) -> None:
    """Ask a server that does not answer for ten seconds or so, not for ten minutes."""
    from pyspark.sql.connect.client.retries import DefaultPolicy

    remote: Any = session
    remote.client.set_retry_policies([DefaultPolicy(max_retries=MOST_RETRIES, max_backoff=4000)])


def require_delta(session: SparkSession) -> None:
    """Raise TaskFailed when Spark knows no Delta tables. That / is none does not matter."""
    try:
        _ = session.read.format("delta").load("/").schema
    except Exception as error:
        if "DATA_SOURCE_NOT_FOUND" in str(error):
            raise TaskFailed(
                "Spark has no Delta\n"
                "hint: spark.jars, spark.sql.extensions and spark.sql.catalog.spark_catalog of spark-defaults.conf name it"
            ) from error


def remedy() -> str:
    if "SPARK_REMOTE" in os.environ:  # its value may hold a token
        return "is the server up that SPARK_REMOTE names?"
    return "Spark needs Java 17, on the PATH or in JAVA_HOME; its own messages stand above"
