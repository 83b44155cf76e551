"""Shards on executors: which run where, and what becomes of one that breaks."""

from __future__ import annotations

from conftest import SECRET, Launcher, is_running, until

# Gives the verb its fields; the specs are code that the fake shards run.
SHARDS = '''
def shards(codes, lanes, name):
    path = str(FOLDER / name)
    specs = [json.dumps({"code": code}) for code in codes]
    pipe.ask("shards", specs=specs, lanes=lanes, schema=SCHEMA, select=["n", "shard", "n * 2 AS twice", "retry"], path=path)
    return path
def rows(path):
    return pipe.sql(f"SELECT shard, n, twice, retry FROM parquet.`{path}` ORDER BY shard, n")
def failure(codes, name):
    try:
        shards(codes, 1, name)
    except Refused as refused:
        return [*refused.args, (FOLDER / name / "_SUCCESS").exists()]
'''


def test_each_spec_runs_once_in_its_lane(spark: Launcher) -> None:
    outcome = spark.run(
        SHARDS
        + """
code = '''
mark("lane-%d")
stream.write(batch(%d, range(10)))
stream.write(batch(%d, range(10, 15)))
'''
path = shards([code % (i, i, i) for i in range(5)], 2, f"ok-{hello['hello']['remote']}")
files = [f for f in os.listdir(path) if f.endswith(".parquet")]
print(json.dumps([rows(path), files, sorted(p.name for p in FOLDER.glob("lane-?"))]))"""
    )
    assert outcome.raised == "", outcome
    rows, files, lanes = outcome.said
    assert rows == [[shard, n, 2 * n, None] for shard in range(5) for n in range(15)]
    assert len(files) == 2 and all(".zstd." in f for f in files), "one for each lane"
    assert lanes == [f"lane-{i}" for i in range(5)]


def test_a_shard_with_no_rows_is_whole(spark: Launcher) -> None:
    outcome = spark.run(SHARDS + "print(json.dumps(rows(shards(['', ''], 3, 'empty-' + str(hello['hello']['remote'])))))")
    assert outcome.said == []


def test_a_path_that_is_there_is_refused(spark: Launcher) -> None:
    outcome = spark.run(SHARDS + "(FOLDER / 'taken').mkdir(exist_ok=True); print(json.dumps(failure([''], 'taken')))")
    assert "[PATH_ALREADY_EXISTS]" in outcome.said[1]


def test_a_shard_that_breaks_is_run_again_and_told_so(spark: Launcher) -> None:
    outcome = spark.run(
        SHARDS
        + """
breaks = [
    "stream.close(); out.flush(); os._exit(7)",  # fails when its stream is whole
    "os.kill(os.getpid(), 9)",  # dies in the middle of its stream
    "os.write(1, bytes.fromhex('ffffffff40000000') + b'torn'); os._exit(0)",  # ends well, in the middle of a message
]
code = '''
if retry:
    stream.write(batch(%d, range(3)))
else:
    stream.write(batch(%d, range(1000)))
    out.flush()
    %s
'''
codes = [code % (i, i, last) for i, last in enumerate(breaks)]
print(json.dumps(rows(shards(codes, 3, f"retried-{hello['hello']['remote']}"))))"""
    )
    assert outcome.raised == "", outcome
    assert outcome.said == [[shard, n, 2 * n, "1"] for shard in range(3) for n in range(3)]


def test_the_last_words_of_a_shard_that_always_fails_are_in_the_error(spark: Launcher) -> None:
    outcome = spark.run(
        SHARDS
        + """
code = "print('early words', 'x' * 200_000, file=sys.stderr); print('last words', file=sys.stderr); sys.exit(7)"
print(json.dumps(failure([code], 'failed-' + str(hello['hello']['remote']))))"""
    )
    kind, message, success = outcome.said
    assert "ShardFailed: pi-extractor shard: exit code 7" in message and "last words" in message
    assert "early words" not in message and len(message) <= 8000
    assert not success
    assert SECRET not in message


def test_a_shard_ends_with_its_task(spark: Launcher) -> None:
    """The program dies; what Spark does for it is interrupted, and the shard's process with it."""
    spark.begin(
        SHARDS
        + """
code = '''
mark("at-shard", str(os.getpid()))
while True:
    stream.write(batch(0, range(1000)))
    time.sleep(0.1)
'''
pipe.request("shards", specs=[json.dumps({"code": code})], lanes=1, schema=SCHEMA, select=["n"], path=str(FOLDER / f"cut-{os.getpid()}"))
wait_for("at-shard")
os.kill(os.getpid(), 9)"""
    )
    shard = int(spark.marked("at-shard"))
    assert "ended by signal 9" in spark.end().raised
    until(lambda: not is_running(shard), 10)
    assert spark.run("print(json.dumps(pipe.sql('SELECT 1')))").said == [[1]], "the session goes on"
