#!/bin/sh
# Prepares the first deployment: resource providers, resource group, app registration in Entra, values of the deployment.
# Usage: prepare.sh LOCATION RESOURCE_GROUP   (after `az login`; for azd also after `azd auth login` and `azd env new`)
# It can be repeated: set ENTRA_CLIENT_ID to keep the app registration of the first time.
set -eu
cd "$(dirname "$0")/../.."
location=${1:?an Azure region with Flex Consumption, such as koreacentral}
group=${2:?the name of a resource group}
retry="sh .github/retry.sh 6 10" # Entra shows a new object everywhere only after some seconds

# A new subscription has none of these registered. Registering needs a right on the subscription, even if it changes nothing.
# Microsoft.App is for the subnet of the private network, and is needed only with PRIVATE_NETWORKING.
for provider in Microsoft.App Microsoft.EventGrid Microsoft.Insights Microsoft.KeyVault Microsoft.ManagedIdentity \
  Microsoft.Network Microsoft.OperationalInsights Microsoft.Storage Microsoft.Web; do
  state=$(az provider show --namespace "$provider" --query registrationState --output tsv 2>/dev/null || true)
  [ "$state" = Registered ] || az provider register --namespace "$provider" --wait --output none ||
    echo "NOT registered: $provider. Ask the administrator of the subscription for: az provider register --namespace $provider" >&2
done
# An existing group may be in another region, and may be all that you have a right on.
az group show --name "$group" --output none 2>/dev/null || az group create --name "$group" --location "$location" --output none

app=${ENTRA_CLIENT_ID:-}
if [ -z "$app" ]; then
  # One registration for each resource group: the Azure CLI changes an existing one of the same name instead of creating another.
  # Without version 2, the issuer of a token differs from the one that the site expects, and callers with tokens get 401.
  app=$(az ad app create --display-name "Segment export ($group)" --sign-in-audience AzureADMyOrg \
    --enable-id-token-issuance true --requested-access-token-version 2 \
    --required-resource-accesses @infra/app-permissions.json --query appId --output tsv)
  echo "registered the app $app; set ENTRA_CLIENT_ID to this id if you run the script again" >&2
fi
$retry az ad app update --id "$app" --app-roles @infra/app-roles.json --identifier-uris "api://$app"
# A portal calls the API for a person with a token for this scope. Entra issues none for an app without a scope (AADSTS650057).
scopes=$($retry az ad app show --id "$app" --query "api.oauth2PermissionScopes[].value" --output tsv)
[ -n "$scopes" ] || $retry az rest --method patch --url "https://graph.microsoft.com/v1.0/applications(appId='$app')" \
  --body @infra/app-scope.json --output none
az ad sp show --id "$app" --output none 2>/dev/null || $retry az ad sp create --id "$app" --output none
# Only people who are assigned a role may sign in. Entra then lets no one consent for themselves, so consent is given for all.
$retry az ad sp update --id "$app" --set appRoleAssignmentRequired=true
consent="az ad app permission grant --id $app --api 00000003-0000-0000-c000-000000000000 --scope openid profile email offline_access"
$retry $consent --output none || echo "NO CONSENT: no one can sign in before a Cloud Application Administrator runs: $consent" >&2

person=$(az ad signed-in-user show --query id --output tsv)
service=$(az ad sp show --id "$app" --query id --output tsv)
administrator=6f0f3c0e-7a53-4d0b-9a7e-2d1f5f3a9c01 # its id in infra/app-roles.json
assignments="https://graph.microsoft.com/v1.0/servicePrincipals/$service/appRoleAssignedTo"
assigned=$(az rest --method get --url "$assignments" \
  --query "value[?principalId=='$person' && appRoleId=='$administrator'].id" --output tsv || true)
[ -n "$assigned" ] || $retry az rest --method post --url "$assignments" \
  --body "{\"principalId\": \"$person\", \"resourceId\": \"$service\", \"appRoleId\": \"$administrator\"}" --output none ||
  echo "NOT an Administrator: an administrator of Entra must assign you the role (Enterprise applications, Users and groups)" >&2

# The application id of Dynamics 365 AI for Customer Insights is the same in every tenant.
insights=0bfc4568-a4ba-4c58-bd3e-5d3e76bd7fff
az ad sp show --id "$insights" --output none 2>/dev/null || $retry az ad sp create --id "$insights" --output none

store=:
if azd env get-values >/dev/null 2>&1; then store="azd env set"; fi
# Prints a value of the deployment, and stores it in the environment of azd if there is one.
keep() {
  echo "$1=$2"
  $store "$1" "$2"
}
# azd would ask for a subscription, and could deploy to another one than az uses.
keep AZURE_SUBSCRIPTION_ID "$(az account show --query id --output tsv)"
keep AZURE_LOCATION "$location"
keep AZURE_RESOURCE_GROUP "$group"
keep ENTRA_CLIENT_ID "$app"
keep CONFIG_WRITER_PRINCIPAL_ID "$person"
keep CUSTOMER_INSIGHTS_PRINCIPAL_ID "$(az ad sp show --id "$insights" --query id --output tsv)"
