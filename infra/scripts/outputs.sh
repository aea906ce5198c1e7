#!/bin/sh
# Prints the outputs of a deployment, one NAME=value a line. Azure changes the case of their names (azurE_RESOURCE_GROUP).
# Usage: outputs.sh RESOURCE_GROUP [DEPLOYMENT]
set -eu
group=${1:?the resource group}
rows=$(az deployment group show --resource-group "$group" --name "${2:-main}" \
  --query "[keys(properties.outputs), values(properties.outputs)[].value]" --output tsv)
printf '%s\n' "$rows" | awk -F '\t' '
  NR == 1 { count = split($0, names, FS) }
  NR == 2 { for (i = 1; i <= count; i++) print toupper(names[i]) "=" $i }'
