"""Every fault that is planted into the templates is found, by the compiler or by a rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from infra.check import project
from infra.check.compiler import Compiler

MAIN = "main.bicep"


class Plant(NamedTuple):
    """In `file`, `right` becomes `wrong`; a fault with the text `message` must be found."""

    name: str
    file: str
    right: str
    wrong: str
    message: str
    configuration: str = "dev"


COMPILER = [
    Plant("missing brace", "vault", "resource diagnostics", "}\nresource diagnostics", "BCP"),
    Plant("misspelled property", "app", "httpsOnly: true", "httpOnly: true", "BCP089"),
    Plant("misspelled nested property", "app", "instanceMemoryMB: i", "instanceMemoryMb: i", "BCP"),
    Plant("wrong choice", "storage", "accessTier: 'Hot'", "accessTier: 'Warm'", "BCP036"),
    Plant("wrong kind of value", "vault", "enableSoftDelete: true", "enableSoftDelete: 'true'", "BCP036"),
    Plant("read-only property", "storage", "accessTier: 'Hot'", "creationTime: 'now'", "BCP073"),
    Plant("unknown resource type", "vault", "KeyVault/vaults@", "KeyVault/vault@", "BCP081"),
    Plant("old API version", "vault", "vaults@2026-02-01", "vaults@2019-09-01", "use-recent-api-versions"),
    Plant("unknown name", "app", "clientId: entraClientId", "clientId: entraClientID", "BCP057"),
    Plant("unknown function", "main", "uniqueString(", "unique(", "BCP057"),
    Plant("unknown output of a module", "main", "outputs.topicPrincipalId", "outputs.topicId", "BCP053"),
    Plant("module without a parameter", "main", "    insightsName: insightsName\n    location", "    location", "BCP035"),
    Plant("unused parameter", "events", "queueName: eventQueueName", "queueName: 'blob-events'", "no-unused-params"),
    Plant("secret parameter in clear text", "vault", "resource diagnostics", "param clientSecret string\nresource diagnostics", "secure-secrets-in-params"),
    Plant("address of one cloud", "app", "environment().authentication.loginEndpoint", "'https://login.microsoftonline.com/'", "no-hardcoded-env-urls"),
    Plant("key in an output", "storage", "output stateAccountId string = state.id", "output stateAccountId string = state.listKeys().keys[0].value", "outputs-should-not-contain-secrets"),
    Plant("name from an output", "main", "    topicName: topicName\n    subscriptionName", "    topicName: storage.outputs.stateAccountId\n    subscriptionName", "what-if-short-circuiting"),
    Plant("object without a type", "vault", "param tags { *: string }", "param tags object", "use-user-defined-types"),
    Plant("reason for a warning removed", "app", "      #disable-next-line BCP037\n", "", "BCP037"),
    Plant("fixed module name", "main", "module alerts 'modules/alerts.bicep' = {", "module alerts 'modules/alerts.bicep' = {\n  name: 'alerts'", "no-module-name"),
    Plant("parameter that does not exist", "snapshots/dev", "param entraClientId", "param entraClient", "BCP"),
]  # fmt: skip

RULES = [
    # who may do what
    Plant("Owner instead of a data role", "roles", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "app must not have role 8e3af657"),
    Plant("a role too many", "roles", "{ on: 'tokens', who: 'app'", "{ on: 'config', who: 'app', role: keyVaultSecretsOfficer }\n    { on: 'tokens', who: 'app'", "app must not have Key Vault Secrets Officer on config"),
    Plant("a role too few", "roles", "    { on: 'events', who: 'topic', role: storageQueueDataMessageSender }\n", "", "topic must have Storage Queue Data Message Sender on state/blob-events"),
    Plant("writer instead of reader", "roles", "role: storageBlobDataReader }\n    { on: 'outcomes'", "role: storageBlobDataContributor }\n    { on: 'outcomes'", "app must not have Storage Blob Data Contributor on landing/segments"),
    Plant("role on the whole account", "landingRoles", "scope: account::blobService::segments", "scope: account", "on landing"),
    Plant("role on the resource group", "roles", "  scope: tokenVault\n", "", "app must not have Key Vault Secrets Officer on /subscriptions"),
    Plant("role for the other principal", "roles", "  topic: topicPrincipalId", "  topic: appPrincipalId", "app must not have Storage Queue Data Message Sender"),
    Plant("name of an assignment that changes", "roles", "guid(insights.id, keys[row.who], row.role)", "guid(insights.id, row.who, row.role)", "must be guid(scope, identity, role)"),
    Plant("group called a user", "roles", "configWriter: configWriterPrincipalType", "configWriter: 'User'", "principal type of configWriter must be Group", "everything"),
    Plant("count known only during the deployment", "roles", "empty(customerInsightsPrincipalId) ?", "empty(appPrincipalId) ?", "NestedDeploymentShortCircuited"),
    # keys, passwords, clear text
    Plant("shared key on", "storage", "allowSharedKeyAccess: false", "allowSharedKeyAccess: true", "allowSharedKeyAccess must be False"),
    Plant("shared key left to the default", "storage", "    allowSharedKeyAccess: false\n", "", "allowSharedKeyAccess must be False"),
    Plant("public blobs", "storage", "allowBlobPublicAccess: false", "allowBlobPublicAccess: true", "allowBlobPublicAccess must be False"),
    Plant("public container", "landing", "publicAccess: 'None'", "publicAccess: 'Blob'", "publicAccess must be 'None'"),
    Plant("old TLS of storage", "storage", "minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 'TLS1_0'", "minimumTlsVersion must be"),
    Plant("old TLS of the site", "app", "      minTlsVersion: '1.2'", "      minTlsVersion: '1.0'", "siteConfig.minTlsVersion"),
    Plant("old TLS of the publishing site", "app", "      scmMinTlsVersion: '1.2'\n", "", "scmMinTlsVersion"),
    Plant("http", "app", "httpsOnly: true", "httpsOnly: false", "httpsOnly must be True"),
    Plant("no purge protection", "vault", "    enablePurgeProtection: true\n", "", "enablePurgeProtection must be True"),
    Plant("access policies", "vault", "enableRbacAuthorization: true", "enableRbacAuthorization: false", "enableRbacAuthorization must be True"),
    Plant("publishing password", "app", "dependsOn: [noFtpPasswords]\n  properties: { allow: false }", "dependsOn: [noFtpPasswords]\n  properties: { allow: true }", "allow must be False"),
    Plant("local keys for logs", "observability", "    DisableLocalAuth: true", "    DisableLocalAuth: false", "DisableLocalAuth must be True"),
    # sign-in
    Plant("sign-in not required", "app", "requireAuthentication: true", "requireAuthentication: false", "sign-in must be required"),
    Plant("sign-in off", "app", "platform: { enabled: true }", "platform: { enabled: false }", "sign-in must be on"),
    Plant("open API", "app", "['/api/health',", "['/api/health', '/api/runs',", "are open"),
    Plant("every tenant", "app", "${entraTenantId}/v2.0", "common/v2.0", "the issuer must be the tenant"),
    Plant("no audience", "app", "[entraClientId, 'api://${entraClientId}']", "[]", "the audiences must be"),
    Plant("foreign audience", "app", "[entraClientId, 'api://${entraClientId}']", "[entraClientId, 'https://graph.microsoft.com']", "the audiences must be"),
    Plant("token store", "app", "tokenStore: { enabled: false }", "tokenStore: { enabled: true }", "no token store"),
    Plant("CORS star", "app", "allowedOrigins: allowedOrigins", "allowedOrigins: ['*']", "exact https origins"),
    Plant("cookies across origins", "app", "supportCredentials: false", "supportCredentials: true", "supportCredentials must be False"),
    # network
    Plant("open although private", "storage", "defaultAction: privateNetworking ? 'Deny' : 'Allow'", "defaultAction: 'Allow'", "must deny by default", "private"),
    Plant("vault open although private", "vault", "defaultAction: privateNetworking ? 'Deny' : 'Allow'", "defaultAction: 'Allow'", "must deny by default", "private"),
    Plant("no bypass for Event Grid", "storage", "bypass: 'AzureServices'", "bypass: 'None'", "Azure's own services", "private"),
    Plant("allowed addresses ignored", "vault", "[for range in allowedIpRanges: { value: range }]", "[]", "must admit exactly", "private"),
    Plant("endpoint of the wrong kind", "network", "group: 'queue'", "group: 'file'", "no endpoint is expected for file", "private"),
    Plant("endpoint in the wrong zone", "network", "group: 'table', zone: 2", "group: 'table', zone: 1", "must be named in privatelink.table", "private"),
    Plant("missing endpoint", "network", "  { name: 'config',", "  // { name: 'config',", "vault of config must have a private endpoint", "private"),
    Plant("zone without a link", "network", "(zone, i) in zones:", "(zone, i) in take(zones, 3):", "each with its link", "private"),
    Plant("zone that hides other accounts", "network", "    resolutionPolicy: 'NxDomainRedirect'\n", "", "private endpoints in other networks", "private"),
    Plant("no delegation", "network", "          delegations: [{ name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }]\n", "", "delegated", "private"),
    Plant("delegation of another plan", "network", "Microsoft.App/environments' }", "Microsoft.Web/serverFarms' }", "delegated", "private"),
    Plant("subnet too small", "network", "cidrSubnet(addressPrefix, 26, 0)", "cidrSubnet(addressPrefix, 28, 0)", "/27 or larger", "private"),
    Plant("overlapping subnets", "network", "cidrSubnet(addressPrefix, 27, 2)", "cidrSubnet(addressPrefix, 27, 1)", "subnets overlap", "private"),
    Plant("subnet outside the network", "network", "cidrSubnet(addressPrefix, 27, 2)", "'10.99.0.0/27'", "outside the network", "private"),
    Plant("subnet without a security group", "network", "cidrSubnet(addressPrefix, 27, 2)\n          networkSecurityGroup: { id: securityGroup.id }\n", "cidrSubnet(addressPrefix, 27, 2)\n", "subnet endpoints must have a network security group", "private"),
    Plant("app outside the network", "main", "subnetId: privateNetworking ? resourceId('Microsoft.Network/virtualNetworks/subnets', virtualNetworkName, appSubnetName) : ''", "subnetId: ''", "the app must send from its subnet", "private"),
    Plant("endpoints in the app's subnet", "network", "subnet: { id: virtualNetwork::endpointSubnet.id }", "subnet: { id: '${virtualNetwork.id}/subnets/${appSubnetName}' }", "must be in the subnet for endpoints", "private"),
    # settings
    Plant("setting missing", "app", "    SEGMENTS_ROOT: segmentsRoot\n", "    // ${segmentsRoot}\n", "SEGMENTS_ROOT is read and not set"),
    Plant("setting misspelled", "app", "    MAX_PROFILES:", "    MAX_PROFILE:", "MAX_PROFILE is set and not read"),
    Plant("developer identity in Azure", "app", "    PUBLIC_URL:", "    DEVELOPER_IDENTITY: 'me'\n    PUBLIC_URL:", "DEVELOPER_IDENTITY is set and not read"),
    Plant("setting that Flex refuses", "app", "    PUBLIC_URL:", "    FUNCTIONS_WORKER_RUNTIME: 'python'\n    PUBLIC_URL:", "refuses the setting FUNCTIONS_WORKER_RUNTIME"),
    Plant("package setting", "app", "    PUBLIC_URL:", "    WEBSITE_RUN_FROM_PACKAGE: '1'\n    PUBLIC_URL:", "refuses the setting WEBSITE_RUN_FROM_PACKAGE"),
    Plant("principal id as client id", "app", "SEGMENTS_STORAGE__clientId: identity.properties.clientId", "SEGMENTS_STORAGE__clientId: identity.properties.principalId", "SEGMENTS_STORAGE__clientId must be"),
    Plant("queue address for blobs", "app", "blobServiceUri: 'https://${stateAccountName}.blob.", "blobServiceUri: 'https://${stateAccountName}.queue.", "AzureWebJobsStorage__blobServiceUri must be"),
    Plant("the other vault for grants", "app", "https://${tokenVaultName}${vaultSuffix}/", "https://${configVaultName}${vaultSuffix}/", "KEY_VAULT_URL must be"),
    Plant("the other vault for secrets", "app", "'https://${configVaultName}${vaultSuffix}/secrets'", "'https://${tokenVaultName}${vaultSuffix}/secrets'", "must refer to the vault for client secrets"),
    Plant("secret that no one sets", "app", "/entra-client-secret)", "/entra-secret)", "which no step of docs/deploy.md sets"),
    Plant("secret in clear text", "app", "MAILCHIMP_CLIENT_SECRET: empty(mailchimpClientId) ? '' :", "MAILCHIMP_CLIENT_SECRET: empty(mailchimpClientId) ? 'abc' :", "MAILCHIMP_CLIENT_SECRET must be a Key Vault reference or empty"),
    Plant("reference to an optional secret", "app", "!customerInsightsNeedsSubscriptionKey ? '' :", "empty(tokenVaultName) ? '' :", "refers to a secret that need not exist"),
    Plant("default instead of the parameter", "app", "RETENTION_DAYS: string(retentionDays)", "RETENTION_DAYS: '30'", "RETENTION_DAYS must be '14'", "everything"),
    # data
    Plant("misspelled queue", "storage", "'send-lanes'", "'send-lane'", "queue send-lanes is used and not declared"),
    Plant("no poison queues", "storage", "concat(workQueues, poisonQueues)", "concat(workQueues, take(poisonQueues, 0))", "plan-runs-poison is used and not declared"),
    Plant("missing table", "storage", "  'runs'\n", "", "table runs is used and not declared"),
    Plant("table that no one uses", "storage", "  'runs'\n", "  'runs'\n  'jobs'\n", "table jobs is declared and not used"),
    Plant("missing container", "storage", "['state', 'leases',", "['state',", "container leases is used and not declared"),
    Plant("deletion of ledgers", "storage", "['state/runs/',", "['state/ledgers/', 'state/runs/',", "must not reach ['state/ledgers/']"),
    Plant("deletion of all state", "storage", "['state/runs/', '${deadLetterContainerName}/']", "['state/', '${deadLetterContainerName}/']", "must not reach ['state/']"),
    Plant("deletion before the app's own", "storage", "retentionDays + 7", "retentionDays - 1", "must leave the app's own retention time"),
    Plant("deletion of current segments", "storage", "  parent: state\n  name: 'default'\n  dependsOn: [containers]", "  parent: segments\n  name: 'default'\n  dependsOn: [containers]", "no lifecycle rule on the landing account"),
    Plant("no soft delete of state", "storage", "    deleteRetentionPolicy: { enabled: true, days: softDeleteDays }\n", "", "deleteRetentionPolicy of the state account"),
    Plant("reads of state not logged", "storage", "      { category: 'StorageRead', enabled: true }\n", "", "the logs of storageAccounts/state must be"),
    Plant("logs of all programs of the customer", "main", "logAccess: ownLanding", "logAccess: true || ownLanding", "contosolanding of the customer must have no setting", "landing"),
    Plant("app logs twice", "app", "output siteName", "resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {\n  name: 'to-workspace'\n  scope: site\n  properties: { logs: [{ category: 'FunctionAppLogs', enabled: true }] }\n}\n\noutput siteName", "the app must have no diagnostic settings"),
    Plant("landing in the wrong subscription", "main", "var landingSubscriptionId = ownLanding || empty(existingSegmentsSubscriptionId) ? subscription().subscriptionId : existingSegmentsSubscriptionId", "var landingSubscriptionId = empty(existingSegmentsSubscriptionId) ? subscription().subscriptionId : subscription().subscriptionId", "must be in the subscription", "landing"),
    Plant("a second topic on the account", "main", "createTopic: empty(existingTopicName)", "createTopic: true", "an existing topic is not changed", "landing"),
    Plant("the subscription of another deployment", "events", "name: subscriptionName", "name: take('model-json-to-queue${subscriptionName}', 19)", "must have a name of its own"),
    Plant("landing in the wrong group", "main", "module landing 'modules/landing.bicep' = {\n  scope: resourceGroup(landingSubscriptionId, landingResourceGroup)", "module landing 'modules/landing.bicep' = {\n  scope: resourceGroup()", "in rg-data", "landing"),
    # events
    Plant("deleted blobs", "events", "'Microsoft.Storage.BlobCreated'", "'Microsoft.Storage.BlobDeleted'", "only created and renamed blobs count"),
    Plant("files that are not complete", "events", "            'PutBlob'\n", "            'CreateFile'\n            'PutBlob'\n", "only files that are written completely"),
    Plant("the other container", "events", "containers/${segmentsContainerName}/blobs/", "containers/outcomes/blobs/${take(segmentsContainerName, 0)}", "only blobs below"),
    Plant("every file", "events", "values: ['model.json', '.manifest.cdm.json']", "values: ['.csv']", "only manifests count"),
    Plant("another schema", "events", "'EventGridSchema'", "'CloudEventSchemaV1_0'", "Event Grid schema"),
    Plant("the other queue", "main", "var eventQueueName = 'blob-events'", "var eventQueueName = 'blob-event'", "events go to the queue blob-events"),
    Plant("dead letters among the state", "events", "blobContainerName: deadLetterContainerName", "blobContainerName: take('state${deadLetterContainerName}', 5)", "container dead-letters"),
    # plan, runtime, names, alerts
    Plant("another plan", "app", "sku: { name: 'FC1', tier: 'FlexConsumption' }", "sku: { name: 'Y1', tier: 'Dynamic' }", "FC1, FlexConsumption"),
    Plant("a Python that does not exist", "app", "var pythonVersion = '3.13'", "var pythonVersion = '3.31'", "Python must be one of"),
    Plant("little memory", "main", "@allowed([2048, 4096])\nparam instanceMemoryMB int = 2048", "@allowed([512, 2048, 4096])\nparam instanceMemoryMB int = 512", "2,048 or 4,096 MB"),
    Plant("more than the region's quota", "snapshots/everything", "param maximumInstanceCount = 100", "param maximumInstanceCount = 200", "exceed the quota", "everything"),
    Plant("one request at a time", "app", "        triggers: { http: { perInstanceConcurrency: httpConcurrency } }\n", "        // ${httpConcurrency}\n", "HTTP requests at once"),
    Plant("zones without warm instances", "main", "zoneRedundant ? max(2, alwaysReadyHttpInstances) : alwaysReadyHttpInstances", "alwaysReadyHttpInstances", "two warm instances", "everything"),
    Plant("site property that Flex refuses", "app", "      http20Enabled: true", "      http20Enabled: true\n      ftpsState: 'Disabled'", "refuses the site property ftpsState"),
    Plant("another one", "app", "      http20Enabled: true", "      http20Enabled: true\n      alwaysOn: true", "refuses the site property alwaysOn"),
    Plant("package by connection string", "app", "type: 'UserAssignedIdentity'\n            userAssignedIdentityResourceId: identity.id", "type: 'SystemAssignedIdentity'", "the package must be read by that identity"),
    Plant("package among the state", "app", "${storageSuffix}/${deploymentContainerName}'", "${storageSuffix}/state${take(deploymentContainerName, 0)}'", "in the container deployment"),
    Plant("account name too long", "main", "'state${token}'", "'stateaccount${token}'", "Azure refuses the name"),
    Plant("vault name too long", "main", "'config-${token}'", "'configuration-${token}'", "Azure refuses the name"),
    Plant("alert on an event that does not exist", "alerts", "\"connection.lost\"", "\"connection.gone\"", "asks for the event connection.gone"),
    Plant("alert on a field that does not exist", "alerts", "toint(e.rejected) /", "toint(e.refused) /", "run.finished has no field refused"),
    Plant("alert on a function that does not exist", "alerts", "\"send_lane_poison\"", "\"send_lanes_poison\"", "asks for the function send_lanes_poison"),
    Plant("secrets that expire unnoticed", "alerts", "actionGroups: groups\n      }\n    }\n    filter", "actionGroups: take(groups, 0)\n      }\n    }\n    filter", "secret-expires must notify 1 action groups", "prod"),
    Plant("secrets that have expired already", "alerts", "['Microsoft.KeyVault.SecretNearExpiry', ", "[", "must be about secrets that expire", "prod"),
    Plant("expiry of the other vault", "main", "configVaultName: configVaultName\n    actionGroupIds", "configVaultName: tokenVaultName\n    actionGroupIds", "topic of the vault for client secrets", "prod"),
    Plant("expiry in the other schema", "alerts", "'CloudEventSchemaV1_0'", "'EventGridSchema'", "must be in the schema CloudEventSchemaV1_0", "prod"),
    Plant("expiry alert without an action group", "alerts", "if (!empty(groups)) {\n  name: 'secrets-", "if (empty(groups)) {\n  name: 'secrets-", "must not exist without an action group"),
    Plant("alerts that notify no one", "alerts", "empty(alertEmail) ? [] : [group.id]", "empty(alertEmail) ? [] : take([group.id], 0)", "must notify 1 action groups", "prod"),
    Plant("expiry alert at the topic for files", "alerts", "  parent: vaultTopic\n  name: 'secret-expires'", "  name: 'segments-${token}/secret-expires'", "there must be one alert secret-expires", "prod"),
]  # fmt: skip

TEMPLATE = [
    Plant("connection string in an output", "observability", "output workspaceName string = workspace.name", "output workspaceName string = insights.properties.ConnectionString", "returns a key"),
    Plant("key in a setting", "app", "    PUBLIC_URL:", "    STATE_KEY: listKeys(resourceId('Microsoft.Storage/storageAccounts', stateAccountName), '2025-06-01').keys[0].value\n    PUBLIC_URL:", "lists keys"),
    Plant("app before its roles", "main", "dependsOn: [roles, network]", "dependsOn: [network]", "roles must be complete before app"),
    Plant("subscription before its role", "main", "module events 'modules/events.bicep' = {\n  scope: resourceGroup(landingSubscriptionId, landingResourceGroup)\n  dependsOn: [roles]", "module events 'modules/events.bicep' = {\n  scope: resourceGroup(landingSubscriptionId, landingResourceGroup)\n  dependsOn: [landing]", "roles must be complete before events"),
    Plant("two changes of the site at once", "app", "  dependsOn: [noScmPasswords]\n", "", "must not change the site at the same time"),
    Plant("roles before the vaults", "main", "dependsOn: [storage, vault]\n  params: {\n    stateAccountName: stateAccountName\n    eventQueueName", "dependsOn: [storage]\n  params: {\n    stateAccountName: stateAccountName\n    eventQueueName", "vault must be complete before roles"),
    Plant("expiry alert before its vault", "main", "module alerts 'modules/alerts.bicep' = {\n  dependsOn: [vault]\n", "module alerts 'modules/alerts.bicep' = {\n", "vault must be complete before alerts"),
]  # fmt: skip
"""Found in the compiled template: what is asked for, handed out, and created in which order."""


def path_of(folder: Path, file: str) -> Path:
    if "/" in file:
        return folder / f"{file}.bicepparam"
    return folder / (f"{file}.bicep" if file == "main" else f"modules/{file}.bicep")


def found(compiler: Compiler, folder: Path, plant: Plant) -> list[str]:
    """The faults of a copy with the plant in it, as `make infra` would find them."""
    path = path_of(folder, plant.file)
    before = path.read_text("utf-8")
    assert plant.right in before, "the plant no longer fits the file"
    path.write_text(before.replace(plant.right, plant.wrong, 1), "utf-8")
    try:
        if plant in COMPILER:
            parameters = "/" in plant.file
            message = (
                compiler.parameters(path)[0] if parameters else compiler.compile(folder / MAIN)[0]
            )
            return [str(one) for one in message]
        text = compiler.compile(folder / MAIN)[1] if plant in TEMPLATE else "{}"
        deployment = project.evaluate(compiler, folder, plant.configuration, json.loads(text))
        return project.rules(deployment)
    finally:
        path.write_text(before, "utf-8")


# `make infra` plants all of them, `make test` every tenth, which includes each kind.
PLANTS = [
    pytest.param(plant, id=plant.name, marks=[pytest.mark.long] if number % 10 else [])
    for plants in (COMPILER, RULES, TEMPLATE)
    for number, plant in enumerate(plants)
]


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_is_found(compiler: Compiler, copy_of_infra: Path, plant: Plant) -> None:
    faults = found(compiler, copy_of_infra, plant)
    assert any(plant.message in fault for fault in faults), faults


def test_every_plant_fits_its_file() -> None:
    """`make test` plants only some of them."""
    plants = [*COMPILER, *RULES, *TEMPLATE]
    text = {plant.file: path_of(project.INFRA, plant.file).read_text("utf-8") for plant in plants}
    assert [plant.name for plant in plants if plant.right not in text[plant.file]] == []


def test_there_are_enough_planted_faults() -> None:
    assert len({plant.name for plant in [*COMPILER, *RULES, *TEMPLATE]}) == len(
        [*COMPILER, *RULES, *TEMPLATE]
    )
    assert len(RULES) >= 60
