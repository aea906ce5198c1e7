#!/bin/sh
# Configures the app after its deployment: redirect addresses, client secret, your right to read the landing container, a refresh
# of the vault references, smoke test.
# Usage: configure.sh   (in the azd environment that was deployed)
#        configure.sh RESOURCE_GROUP [DEPLOYMENT]   (deployed from GitHub or with the Azure CLI)
set -eu
cd "$(dirname "$0")/../.."
if [ $# -gt 0 ]; then
  values=$(sh infra/scripts/outputs.sh "$@")
else
  values=$(azd env get-values)
fi
eval "$(printf '%s\n' "$values" |
  grep -E '^(PUBLIC_URL|CONFIG_VAULT_NAME|AZURE_RESOURCE_GROUP|AZURE_FUNCTION_APP_NAME|ENTRA_CLIENT_ID|SEGMENTS_ACCOUNT_NAME|SEGMENTS_CONTAINER)=')"

# Other addresses stay: another environment may share the app registration.
addresses=$(az ad app show --id "$ENTRA_CLIENT_ID" --query "web.redirectUris[]" --output tsv)
addresses=$(printf '%s\n' $addresses "$PUBLIC_URL/.auth/login/aad/callback" "$PUBLIC_URL/api/oauth/entra/callback" | sort -u)
az ad app update --id "$ENTRA_CLIENT_ID" --web-redirect-uris $addresses

# One year from now, at most on the 28th, so that the date exists in every year and month. Key Vault gets the same date, so that
# the alert secret-expires fires before it.
EXPIRES=$(date -u "+%Y %m %d" | {
  read -r year month day
  [ "$day" -le 28 ] || day=28
  echo "$((year + 1))-$month-${day}T00:00:00Z"
})
# The right to write secrets takes effect some minutes after the deployment, so this is retried.
secret=$(az ad app credential reset --id "$ENTRA_CLIENT_ID" --append --display-name export --end-date "$EXPIRES" \
  --query password --output tsv)
SECRET_FILE=$(mktemp)
trap 'rm -f "$SECRET_FILE"' EXIT
printf '%s' "$secret" >"$SECRET_FILE"
sh .github/retry.sh 10 30 az keyvault secret set --vault-name "$CONFIG_VAULT_NAME" --name entra-client-secret \
  --file "$SECRET_FILE" --content-type text/plain --expires "$EXPIRES" --query id --output tsv
# Customer Insights lets only people connect a container who can read it.
account=$(az storage account show --name "$SEGMENTS_ACCOUNT_NAME" --query id --output tsv) &&
  az role assignment create --role "Storage Blob Data Reader" --assignee-principal-type User --output none \
    --assignee-object-id "$(az ad signed-in-user show --query id --output tsv)" \
    --scope "$account/blobServices/default/containers/$SEGMENTS_CONTAINER" ||
  echo "You cannot read the landing container: ask for Storage Blob Data Reader on it before you connect Customer Insights" >&2
sh infra/scripts/refresh.sh "$AZURE_RESOURCE_GROUP" "$AZURE_FUNCTION_APP_NAME"
# The app restarts with the secret within some minutes.
tries=0
while :; do
  code=0
  sh .github/smoke.sh "$PUBLIC_URL" || code=$?
  if [ "$code" != 3 ] || [ "$tries" -ge 10 ]; then exit "$code"; fi
  tries=$((tries + 1))
  sleep 30
done
