#!/bin/sh
# Makes Azure read the triggers of the deployed package, until it knows every function of function_app.py.
# Usage: triggers.sh RESOURCE_GROUP APP   (after an upload, and after .github/smoke.sh, which starts the app)
# After a deployment, Flex Consumption may know only a function WarmUp. It then starts no instance for the timer and the queues,
# so nothing runs although the pages work: https://github.com/Azure/azure-functions-host/issues/10169
# Refresh in the portal makes the same request. It has an effect only while the app runs, so it is repeated.
set -eu
cd "$(dirname "$0")/../.."
group=${1:?the resource group}
app=${2:?the function app}
# azd deploys to its own subscription, and that of the Azure CLI may be another one.
set --
[ -z "${AZURE_SUBSCRIPTION_ID:-}" ] || set -- --subscription "$AZURE_SUBSCRIPTION_ID"
names=$(sed -n 's/^@app\.function_name("\(.*\)")$/\1/p' function_app.py)
site=$(az functionapp show --resource-group "$group" --name "$app" --query id --output tsv "$@")
# On Windows, the lines of the Azure CLI end with a carriage return.
site=${site%"$(printf '\r')"}
tries=0
while :; do
  answer=$(az rest --method post --url "https://management.azure.com$site/host/default/sync?api-version=2022-03-01" 2>&1) || true
  known=$(az functionapp function list --resource-group "$group" --name "$app" --query "[].name" --output tsv "$@" |
    tr -d '\r' | sed 's|.*/||')
  missing=
  for name in $names; do
    printf '%s\n' "$known" | grep -qx "$name" || missing="$missing $name"
  done
  [ -n "$missing" ] || break
  tries=$((tries + 1))
  if [ "$tries" -ge 10 ]; then
    printf '%s\n' "$answer" >&2
    echo "Azure does not know these functions:$missing. Open the app in the portal and choose Refresh." >&2
    exit 1
  fi
  echo "Azure does not know all functions yet, next request in 30 s" >&2
  sleep 30
done
echo "Azure knows every function of the app"
