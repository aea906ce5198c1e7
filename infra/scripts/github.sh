#!/bin/sh
# Creates the identity with which the workflow deploy.yml signs in to Azure, for one environment.
# Usage: github.sh OWNER/REPOSITORY ENVIRONMENT RESOURCE_GROUP...   (after prepare.sh; needs the GitHub CLI, signed in)
# The identity is created in the first resource group; the others are for a landing account of your own. A group in another
# subscription is given by its id, /subscriptions/ID/resourceGroups/NAME.
# It may change what is in the groups, and assign only the roles of modules/roles.bicep.
# https://learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-overview
set -eu
cd "$(dirname "$0")/../.."
repository=${1:?OWNER/REPOSITORY}
environment=${2:?dev or prod}
group=${3:?the resource group}
shift 2
retry="sh .github/retry.sh 6 10" # Entra shows a new identity everywhere only after some seconds

# How GitHub names a repository in its tokens: since July 15, 2026, new ones with the ids of owner and repository.
subject=$(gh api "repos/$repository/actions/oidc/customization/sub" --jq ".sub_claim_prefix // \"repo:$repository\"")
name="id-github-$environment"
principal=$(az identity create --resource-group "$group" --name "$name" --query principalId --output tsv)
for context in "$environment-preview" "$environment"; do
  az identity federated-credential create --resource-group "$group" --identity-name "$name" --name "$context" \
    --issuer https://token.actions.githubusercontent.com --audiences api://AzureADTokenExchange \
    --subject "$subject:environment:$context" --output none
done

roles=$(grep -oE "'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'" infra/modules/roles.bicep | tr -d "'" | paste -s -d , -)
attribute="Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {$roles}"
condition="((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR (@Request[$attribute))"
condition="$condition AND ((!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})) OR (@Resource[$attribute))"
for each in "$@"; do
  case $each in
    /*) scope=$each ;;
    *) scope=$(az group show --name "$each" --query id --output tsv) ;;
  esac
  $retry az role assignment create --role Contributor --scope "$scope" --output none \
    --assignee-object-id "$principal" --assignee-principal-type ServicePrincipal
  $retry az role assignment create --role "Role Based Access Control Administrator" --scope "$scope" --output none \
    --assignee-object-id "$principal" --assignee-principal-type ServicePrincipal \
    --condition "$condition" --condition-version 2.0
done
echo "AZURE_CLIENT_ID=$(az identity show --resource-group "$group" --name "$name" --query clientId --output tsv)"
echo "AZURE_TENANT_ID=$(az account show --query tenantId --output tsv)"
