#!/bin/sh
# Uploads a package of infra/package.py. Azure must not build it again: see docs/decisions/0038.
# Usage: upload.sh RESOURCE_GROUP APP ZIP
# After an upload, the Azure CLI asks /admin/host/status, which sign-in protects here, and then reports an unhealthy app.
# Whether the app works is checked by .github/smoke.sh.
set -eu
group=${1:?the resource group}
app=${2:?the function app}
package=${3:?the package}
code=0
output=$(az functionapp deployment source config-zip --resource-group "$group" --name "$app" --src "$package" \
  --build-remote false 2>&1) || code=$?
printf '%s\n' "$output"
case $output in
  *"Deployment was successful"*) exit 0 ;;
esac
exit "$code"
