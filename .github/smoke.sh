#!/bin/sh
# Is the app up, and is the door closed? Usage: smoke.sh https://address
# 1. /api/health answers 200 within ten minutes of a deployment. 2. Nothing else does without signing in.
set -eu
url=${1:?the address of the app}

tries=0
until [ "$(curl -s -o /dev/null -m 60 -w '%{http_code}' "$url/api/health")" = 200 ]; do
  tries=$((tries + 1))
  if [ "$tries" -ge 20 ]; then
    echo "$url/api/health does not answer 200" >&2
    exit 1
  fi
  sleep 30
done
echo "up: $url/api/health"

# A forged identity must help nobody: the platform removes this header and the app would not trust it.
for path in / /api/connections /api/exports /api/runs; do
  for header in "X-Nothing: x" "X-MS-CLIENT-PRINCIPAL: e30="; do
    status=$(curl -s -o /dev/null -m 60 -w '%{http_code}' -H "$header" "$url$path")
    case $status in
      301 | 302 | 401 | 403) ;;
      *)
        echo "$path answered $status without anyone signed in" >&2
        exit 1
        ;;
    esac
  done
done
echo "closed: nothing answers without signing in"
