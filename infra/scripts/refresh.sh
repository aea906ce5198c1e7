#!/bin/sh
# Makes Azure read the Key Vault references of the app again. A restart does not, because Azure keeps the values for up to a day.
# Usage: refresh.sh RESOURCE_GROUP APP
# https://learn.microsoft.com/azure/app-service/app-service-key-vault-references#understand-rotation
set -eu
group=${1:?the resource group}
app=${2:?the function app}
site=$(az functionapp show --resource-group "$group" --name "$app" --query id --output tsv)
az rest --method post --output none \
  --url "https://management.azure.com$site/config/configreferences/appsettings/refresh?api-version=2022-03-01"
az rest --method get --query "value[].{setting: name, status: properties.status}" --output table \
  --url "https://management.azure.com$site/config/configreferences/appsettings?api-version=2022-03-01"
