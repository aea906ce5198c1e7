#!/bin/sh
# Repeats a command that fails: role assignments take effect after minutes, and a new site first answers 503.
# Usage: retry.sh TRIES SECONDS COMMAND...
set -u
tries=$1
pause=$2
shift 2
try=1
until "$@"; do
  code=$?
  if [ "$try" -ge "$tries" ]; then
    echo "failed $try times: $1 $2 $3" >&2
    exit "$code"
  fi
  echo "try $try of $tries failed, next one in $pause s" >&2
  try=$((try + 1))
  sleep "$pause"
done
