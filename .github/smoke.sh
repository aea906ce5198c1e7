#!/bin/sh
# Checks that the app answers and that its pages and API require sign-in. Usage: smoke.sh https://address
# 1. /api/health answers within ten minutes of a deployment: 200, or 503 with the type notConfigured while secrets are missing.
# 2. Pages and API answer with a redirect to the sign-in page, 401 or 403.
# 3. Mailchimp's webhooks are not refused; otherwise a warning, because the app finds changes without them, but later.
# Exit code 0: 1 and 2 are true. 3: the app is not configured yet; continue with docs/deploy.md, step 3. 1: anything else.
set -eu
url=${1:?the address of the app}
url=${url%/}
pause=${SMOKE_PAUSE:-30}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

tries=0
while :; do
  status=$(curl -s -o "$answer" -m 60 -w '%{http_code}' "$url/api/health" || true)
  if [ "$status" = 200 ]; then
    result=0
    echo "up: $url/api/health"
    break
  fi
  if [ "$status" = 503 ] && grep -q 'urn:problem-type:notConfigured' "$answer"; then
    result=3
    echo "up, but not configured yet: the app's log names the settings (docs/deploy.md, step 3)"
    break
  fi
  tries=$((tries + 1))
  if [ "$tries" -ge 20 ]; then
    echo "$url/api/health answers $status" >&2
    exit 1
  fi
  sleep "$pause"
done

# A forged identity must not help: the platform removes this header, and the app would not trust it.
for path in / /api/connections /api/exports /api/runs; do
  for header in "X-Nothing: x" "X-MS-CLIENT-PRINCIPAL: e30="; do
    status=$(curl -s -o /dev/null -m 60 -w '%{http_code}' -H "$header" "$url$path")
    case $status in
      301 | 302 | 401 | 403) ;;
      *)
        echo "$path answered $status without sign-in" >&2
        exit 1
        ;;
    esac
  done
done
echo "closed: pages and API require sign-in"

status=$(curl -s -o /dev/null -m 60 -w '%{http_code}' "$url/api/mailchimp/webhooks/smoke" || true)
case $status in
  200 | 503) ;;
  *) echo "warning: sign-in refuses Mailchimp's webhooks ($status), so unsubscribes are seen up to 15 minutes later" >&2 ;;
esac
exit "$result"
