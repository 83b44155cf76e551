#!/usr/bin/env bash
# Checks for what a purpose needs, and installs what Debian has of it when it may.
# Says the command to run when it may not. Quiet when all is there. The purpose:
#   build  compilers: enough for make build and make demo
#   lint   and git
#   spark  and Python and Java: for make demo-spark; the rest of a Spark is fetched when it is needed
#   test   all of it, and a Kerberos realm and a browser
set -euo pipefail
purpose=${1:-build}
case $purpose in build | lint | spark | test) ;; *)
  echo "error: $purpose; allowed: build, lint, spark, test" >&2
  exit 1
  ;;
esac

need_go=1.26
if ! command -v go >/dev/null; then
  echo "error: go is missing; hint: install Go $need_go or newer and put it on PATH" >&2
  exit 1
fi
have=$(go env GOVERSION | sed 's/^go//')
if [ "$(printf '%s\n%s\n' "$need_go" "$have" | sort -V | head -1)" != "$need_go" ]; then
  echo "error: go is $have, and $need_go or newer is needed" >&2
  exit 1
fi

missing=()
PATH=$PATH:/usr/sbin # where Debian keeps servers
want() { command -v "$1" >/dev/null || missing+=("$2"); }
want gcc gcc
want g++ g++
case $purpose in lint | test) want git git ;; esac
if [ $purpose = test ]; then
  want mount mount
  want krb5kdc krb5-kdc               # a Kerberos realm for the tests
  want kadmin.local krb5-admin-server
  command -v google-chrome >/dev/null || want chromium chromium # the tests of the plan's page look at it
fi
java=
java_version() { "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -n '1s/[^"]*"\([0-9]*\).*/\1/p'; }
case $purpose in spark | test)
  want python3 python3
  if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    missing+=(python3-venv)
  fi
  if version=$(java_version) && [ "${version:-0}" -ge 17 ]; then :; else java=17; fi
  ;;
esac
[ ${#missing[@]} -eq 0 ] && [ -z "$java" ] && exit 0

get="DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
install="apt-get update -qq"
[ ${#missing[@]} -eq 0 ] || install+=" && $get ${missing[*]}"
if [ -n "$java" ]; then # Debian 13 has no 17 any more
  missing+=("java $java")
  install+=" && { $get openjdk-17-jre-headless || $get openjdk-21-jre-headless; }"
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing ${missing[*]}" >&2
  bash -c "$install" >/dev/null
else
  echo "error: missing: ${missing[*]}; hint: sudo sh -c '$install'" >&2
  exit 1
fi
