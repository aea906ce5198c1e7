// The app: Flex Consumption plan, the site, who may sign in, and every setting it reads.
// Settings are names that shared/settings.py knows, plus the few the platform itself needs; a test compares both ways.
// https://learn.microsoft.com/azure/azure-functions/functions-app-settings

@description('Makes names unique within Azure.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Identity of the app.')
param identityName string

@description('Account for queues, tables, plans, ledgers and the deployment package.')
param stateAccountName string

@description('Container of the deployment package.')
param deploymentContainerName string

@description('Blob endpoint of the landing account.')
param segmentsBlobEndpoint string

@description('Container that Customer Insights writes to.')
param segmentsContainerName string

@description('Prefix that holds model.json.')
param segmentsRoot string

@description('Vault for grants.')
param tokenVaultUri string

@description('Vault for client secrets.')
param configVaultUri string

@description('Application Insights.')
param insightsName string

@description('Where diagnostics go.')
param workspaceId string

@description('Subnet the app sends from. Empty: none.')
param subnetId string

@description('Whether the site answers the internet.')
param publicNetworkAccess string

@description('Entra tenant.')
param entraTenantId string

@description('Entra application id.')
param entraClientId string

@description('Origins allowed by CORS.')
param allowedOrigins array

@description('Mailchimp application id.')
param mailchimpClientId string

@description('Connections to one Mailchimp account.')
param mailchimpConnections int

@description('Customer Insights environment.')
param customerInsightsInstanceId string

@description('Most instances of one function.')
param maximumInstanceCount int

@description('Memory of an instance in MB.')
param instanceMemoryMB int

@description('Warm HTTP instances.')
param alwaysReadyHttpInstances int

@description('Spread over zones.')
param zoneRedundant bool

@description('What happens to running work on update.')
param siteUpdateStrategy string

@description('Most distinct people in one run.')
param maxProfiles int

@description('Days that run files are kept.')
param retentionDays int

@description('When the app looks what is due.')
param tickSchedule string

var pythonVersion = '3.12' // the one place; docs/decisions/0030
var loginEndpoint = environment().authentication.loginEndpoint

resource state 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: stateAccountName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: 'func-${token}'
  location: location
  tags: union(tags, { 'azd-service-name': 'export' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: publicNetworkAccess
    keyVaultReferenceIdentity: identity.id
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${state.properties.primaryEndpoints.blob}${deploymentContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      runtime: { name: 'python', version: pythonVersion }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstanceCount
        instanceMemoryMB: instanceMemoryMB
        alwaysReady: alwaysReadyHttpInstances == 0 ? [] : [{ name: 'http', instanceCount: alwaysReadyHttpInstances }]
      }
      siteUpdateStrategy: { type: siteUpdateStrategy }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      cors: { allowedOrigins: allowedOrigins, supportCredentials: false }
    }
  }
}

resource noFtpPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: site
  name: 'ftp'
  properties: { allow: false }
}

resource noScmPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: site
  name: 'scm'
  properties: { allow: false }
}

resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: site
  name: 'appsettings'
  properties: {
    // the platform's own
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
    // the admin pages stand at /
    AzureWebJobsDisableHomepage: 'true'
    PYTHON_THREADPOOL_THREAD_COUNT: '32'
    // whoever adds an OpenTelemetry SDK gets no URLs with it: Mailchimp's name members (docs/decisions/0041)
    OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,httpx,requests,urllib,urllib3'
    // state: the app and its host, by identity
    AzureWebJobsStorage__blobServiceUri: state.properties.primaryEndpoints.blob
    AzureWebJobsStorage__queueServiceUri: state.properties.primaryEndpoints.queue
    AzureWebJobsStorage__tableServiceUri: state.properties.primaryEndpoints.table
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identity.properties.clientId
    // segments
    SEGMENTS_STORAGE__blobServiceUri: segmentsBlobEndpoint
    SEGMENTS_STORAGE__credential: 'managedidentity'
    SEGMENTS_STORAGE__clientId: identity.properties.clientId
    SEGMENTS_CONTAINER: segmentsContainerName
    SEGMENTS_ROOT: segmentsRoot
    // who, and where the secrets are
    PUBLIC_URL: 'https://${site.properties.defaultHostName}'
    KEY_VAULT_URL: tokenVaultUri
    ENTRA_TENANT_ID: entraTenantId
    ENTRA_CLIENT_ID: entraClientId
    ENTRA_CLIENT_SECRET: '@Microsoft.KeyVault(SecretUri=${configVaultUri}secrets/entra-client-secret)'
    ENTRA_AUTHORITY: loginEndpoint
    MAILCHIMP_CLIENT_ID: mailchimpClientId
    MAILCHIMP_CLIENT_SECRET: empty(mailchimpClientId) ? '' : '@Microsoft.KeyVault(SecretUri=${configVaultUri}secrets/mailchimp-client-secret)'
    MAILCHIMP_LOGIN_URL: 'https://login.mailchimp.com'
    MAILCHIMP_API_URL: 'https://{dc}.api.mailchimp.com/3.0'
    MAILCHIMP_CONNECTIONS: string(mailchimpConnections)
    CUSTOMER_INSIGHTS_INSTANCE_ID: customerInsightsInstanceId
    CUSTOMER_INSIGHTS_API_URL: 'https://api.ci.ai.dynamics.com/v1'
    CUSTOMER_INSIGHTS_SUBSCRIPTION_KEY: empty(customerInsightsInstanceId) ? '' : '@Microsoft.KeyVault(SecretUri=${configVaultUri}secrets/customer-insights-subscription-key)'
    // how much, how long, how often
    TICK_SCHEDULE: tickSchedule
    MAX_PROFILES: string(maxProfiles)
    RETENTION_DAYS: string(retentionDays)
  }
}

resource signIn 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: site
  name: 'authsettingsV2'
  dependsOn: [settings]
  properties: {
    platform: { enabled: true }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'RedirectToLoginPage'
      redirectToProvider: 'azureactivedirectory'
      excludedPaths: ['/api/health', '/api/openapi.json']
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: entraClientId
          clientSecretSettingName: 'ENTRA_CLIENT_SECRET'
          openIdIssuer: '${loginEndpoint}${entraTenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [entraClientId, 'api://${entraClientId}']
        }
      }
    }
    login: {
      tokenStore: { enabled: true }
      preserveUrlFragmentsForLogins: false
    }
    httpSettings: { requireHttps: true }
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: site
  properties: {
    workspaceId: workspaceId
    // Also what happens before Application Insights is up: a worker that does not start.
    logs: [{ category: 'FunctionAppLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output siteName string = site.name
output publicUrl string = 'https://${site.properties.defaultHostName}'
