#!/bin/sh
# Prepares the first `azd up`: resource providers, resource group, app registration in Entra, values of the azd environment.
# Usage: prepare.sh LOCATION RESOURCE_GROUP   (after `az login`, `azd auth login` and `azd env new`)
# It can be repeated: set ENTRA_CLIENT_ID to keep the app registration of the first time.
set -eu
cd "$(dirname "$0")/../.."
location=${1:?an Azure region with Flex Consumption, such as koreacentral}
group=${2:?the name of a resource group}

# A new subscription has none of these registered, and the deployment, with rights on one resource group, cannot register them.
# Microsoft.App is for the subnet of the private network, and is needed only with PRIVATE_NETWORKING.
for provider in Microsoft.App Microsoft.EventGrid Microsoft.Insights Microsoft.KeyVault Microsoft.ManagedIdentity \
  Microsoft.Network Microsoft.OperationalInsights Microsoft.Storage Microsoft.Web; do
  az provider register --namespace "$provider" --wait --output none
done
az group create --name "$group" --location "$location" --output none

app=${ENTRA_CLIENT_ID:-}
if [ -z "$app" ]; then
  # Without version 2, the issuer of a token differs from the one that the site expects, and callers with tokens get 401.
  app=$(az ad app create --display-name "Segment export" --sign-in-audience AzureADMyOrg \
    --enable-id-token-issuance true --requested-access-token-version 2 --query appId --output tsv)
  echo "registered the app $app; set ENTRA_CLIENT_ID to this id if you run the script again"
fi
az ad app update --id "$app" --app-roles @infra/app-roles.json --identifier-uris "api://$app"
az ad sp show --id "$app" --output none 2>/dev/null || az ad sp create --id "$app" --output none
# Only people who are assigned a role may sign in.
az ad sp update --id "$app" --set appRoleAssignmentRequired=true

person=$(az ad signed-in-user show --query id --output tsv)
service=$(az ad sp show --id "$app" --query id --output tsv)
administrator=$(az ad sp show --id "$app" --query "appRoles[?value=='Administrator'].id | [0]" --output tsv)
az rest --method post --url "https://graph.microsoft.com/v1.0/servicePrincipals/$service/appRoleAssignedTo" \
  --body "{\"principalId\": \"$person\", \"resourceId\": \"$service\", \"appRoleId\": \"$administrator\"}" \
  --output none || echo "the role was not assigned, perhaps because you have it already; check Users and groups of the enterprise application"

# The application id of Dynamics 365 AI for Customer Insights is the same in every tenant.
insights=0bfc4568-a4ba-4c58-bd3e-5d3e76bd7fff
az ad sp show --id "$insights" --output none 2>/dev/null || az ad sp create --id "$insights" --output none

# azd would ask for a subscription, and could deploy to another one than az uses.
azd env set AZURE_SUBSCRIPTION_ID "$(az account show --query id --output tsv)"
azd env set AZURE_LOCATION "$location"
azd env set AZURE_RESOURCE_GROUP "$group"
azd env set ENTRA_CLIENT_ID "$app"
azd env set CONFIG_WRITER_PRINCIPAL_ID "$person"
azd env set CUSTOMER_INSIGHTS_PRINCIPAL_ID "$(az ad sp show --id "$insights" --query id --output tsv)"
