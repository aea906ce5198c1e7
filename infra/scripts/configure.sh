#!/bin/sh
# Configures the app after `azd up`: client secret, redirect addresses, a refresh of the vault references, smoke test.
# Usage: configure.sh   (in the azd environment that was deployed)
set -eu
cd "$(dirname "$0")/../.."
values=$(azd env get-values | grep -E '^(PUBLIC_URL|CONFIG_VAULT_NAME|AZURE_RESOURCE_GROUP|AZURE_FUNCTION_APP_NAME|ENTRA_CLIENT_ID)=')
eval "$values"

# The right to write secrets takes effect some minutes after the deployment, so this is retried.
secret=$(az ad app credential reset --id "$ENTRA_CLIENT_ID" --append --display-name export --years 1 \
  --query password --output tsv)
SECRET_FILE=$(mktemp)
trap 'rm -f "$SECRET_FILE"' EXIT
printf '%s' "$secret" >"$SECRET_FILE"
sh .github/retry.sh 10 30 az keyvault secret set --vault-name "$CONFIG_VAULT_NAME" --name entra-client-secret \
  --file "$SECRET_FILE" --query id --output tsv
az ad app update --id "$ENTRA_CLIENT_ID" --web-redirect-uris \
  "$PUBLIC_URL/.auth/login/aad/callback" "$PUBLIC_URL/api/oauth/entra/callback"
sh infra/scripts/refresh.sh "$AZURE_RESOURCE_GROUP" "$AZURE_FUNCTION_APP_NAME"
sh .github/smoke.sh "$PUBLIC_URL"
