#!/usr/bin/env bash
# The main job on embedded defaults: 30,000 simulated PI tags are discovered,
# planned into 10 partitions, emitted as a Databricks bundle, and the bundle's
# own tasks land an hour of events here, in DuckDB. Everything stays in demo/.
#
# scripts/demo.sh spark is smaller and lands them in Delta: 6,000 tags in 2
# partitions, read by the bundle's wheel on the executors of a Spark of this
# machine, which is set up once. Everything stays in demo-spark/.
#
# With KEEP=1 the PI server runs on, and the demo says how to go on with it.
set -euo pipefail
cd "$(dirname "$0")/.."

engine=${1:-duckdb}
case $engine in
duckdb) tags=30000 folder=demo run=() tables=lake.duckdb ;;
spark) tags=6000 folder=demo-spark run=(--engine spark) tables=spark/warehouse ;;
*) echo "error: $engine is no engine; hint: scripts/demo.sh duckdb, or spark" >&2; exit 1 ;;
esac
commas() { echo "$1" | sed ':a;s/\B[0-9]\{3\}\>/,&/;ta'; }
kept=$(cat $folder/simulator.pid 2>/dev/null || true)
if [ -n "$kept" ] && [ "$(cat "/proc/$kept/comm" 2>/dev/null)" = pi-simulator ]; then
  echo "Stopping the PI server that the demo before left running."
  kill "$kept"
fi
rm -rf $folder
mkdir $folder
cd $folder

export PI_USER=svc_pi
if [ -n "${KEEP:-}" ]; then
  PI_PLANT_A_PASSWORD=demo # to be typed, and no secret: the server is simulated, and for this machine only
  password="'demo'"
else
  PI_PLANT_A_PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  password="made up for this run"
fi
export PI_PLANT_A_PASSWORD

show() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || show() { printf '\n$ %s\n' "$*"; "$@"; }

echo "A PI Web API server with $(commas $tags) tags, simulated; its password is $password."
nohup pi-simulator serve --tags $tags --auth basic --username-env PI_USER --password-env PI_PLANT_A_PASSWORD >simulator.json 2>simulator.log &
simulator=$!
echo $simulator >simulator.pid
trap 'kill $simulator 2>/dev/null; wait $simulator 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  [ -s simulator.json ] && break
  kill -0 $simulator 2>/dev/null || { cat simulator.log >&2; exit 1; }
  sleep 0.1
done
url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' simulator.json)
until=$(date -u -d '-1 minute' +%Y-%m-%dT%H:%M:%SZ)
first=$(date -u -d "$until -1 hour" +%Y-%m-%dT%H:%M:%SZ)
after=$(date -u -d "$until -1 hour -1 second" +%Y-%m-%dT%H:%M:%S.9999999Z) # one tick before

show bundlegen init --server "$url"
show bundlegen discover
show bundlegen plan
show bundlegen generate
show bundlegen run --local "${run[@]}" --until "$until" | tee run.txt
[ "${PIPESTATUS[0]}" = 0 ]

# The simulator's archive is a pure function of seed, tag and time: it knows every event it serves.
landed=$(awk '$1 == "all" { gsub(",", "", $3); print $3 }' run.txt)
held=$(pi-simulator oracle --tags $tags --after "$after" --until "$until" --counts | awk -F, 'NR > 1 { n += $NF } END { print n }')
echo
echo "PI holds $(commas "$held") events from $first to $until; landed: $(commas "$landed")."
if [ "$landed" != "$held" ]; then
  echo "error: they differ" >&2
  exit 1
fi
echo "Every event is accounted for. The tables are in $folder/data/$tables, the bundle in $folder/bundles/osipi_connector."
if [ $engine = spark ]; then
  echo "Spark itself answers, with one of the queries that come with the bundle:"
  show data/spark/sql -f bundles/osipi_connector/sql/points-per-day.sql 2>sql.log || { cat sql.log >&2; exit 1; }
fi
if [ -n "${KEEP:-}" ]; then
  trap - EXIT
  cat <<END

The PI server runs on at $url. To go on from here:
  cd $folder && export PATH=$(cd ../bin && pwd):\$PATH PI_PLANT_A_PASSWORD=demo
  bundlegen run --local   reads what has come since, and goes on where it was
  bundlegen status        says what is landed
To stop the server: kill $simulator
END
fi
