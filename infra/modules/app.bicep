// The app: the Flex Consumption plan, the site, sign-in, and all settings.
// The settings are those of shared/settings.py and a few that the platform needs; a test compares both.
// https://learn.microsoft.com/azure/azure-functions/functions-app-settings

@description('Makes names unique within Azure.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

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
param tokenVaultName string

@description('Vault for client secrets.')
param configVaultName string

@description('Application Insights.')
param insightsName string

@description('Subnet the app sends from. Empty: none.')
param subnetId string

@description('Whether the site can be reached from the internet.')
param publicNetworkAccess string

@description('Entra tenant.')
param entraTenantId string

@description('Entra application id.')
param entraClientId string

@description('Origins allowed by CORS.')
param allowedOrigins string[]

@description('Mailchimp application id.')
param mailchimpClientId string

@description('Connections to one Mailchimp account.')
param mailchimpConnections int

@description('Customer Insights environment.')
param customerInsightsInstanceId string

@description('Whether the vault has a subscription key for it.')
param customerInsightsNeedsSubscriptionKey bool

@description('Maximum number of instances of one function.')
param maximumInstanceCount int

@description('Memory of an instance in MB.')
param instanceMemoryMB int

@description('HTTP requests at once in one instance.')
param httpConcurrency int

@description('Warm HTTP instances.')
param alwaysReadyHttpInstances int

@description('Spread over zones.')
param zoneRedundant bool

@description('What happens to running work on update.')
param siteUpdateStrategy string

@description('Maximum number of distinct people in one run.')
param maxProfiles int

@description('Days that run files are kept.')
param retentionDays int

@description('When the app checks what is due.')
param tickSchedule string

var pythonVersion = '3.13' // the only place; docs/decisions/0030
var loginEndpoint = environment().authentication.loginEndpoint
var storageSuffix = environment().suffixes.storage
var vaultSuffix = environment().suffixes.keyvaultDns
var configSecrets = 'https://${configVaultName}${vaultSuffix}/secrets'

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
          value: 'https://${stateAccountName}.blob.${storageSuffix}/${deploymentContainerName}'
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
        triggers: { http: { perInstanceConcurrency: httpConcurrency } }
      }
      // Documented by Microsoft, missing in the published types:
      // https://learn.microsoft.com/azure/azure-functions/flex-consumption-site-updates
      #disable-next-line BCP037
      siteUpdateStrategy: { type: siteUpdateStrategy }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      cors: { allowedOrigins: allowedOrigins, supportCredentials: false }
    }
  }
}

// One after the other: Azure refuses a change of a site (409) while another one is in progress.
resource noFtpPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: site
  name: 'ftp'
  properties: { allow: false }
}

resource noScmPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: site
  name: 'scm'
  dependsOn: [noFtpPasswords]
  properties: { allow: false }
}

resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: site
  name: 'appsettings'
  dependsOn: [noScmPasswords]
  properties: {
    // settings of the platform
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
    // the admin pages are at /
    AzureWebJobsDisableHomepage: 'true'
    PYTHON_THREADPOOL_THREAD_COUNT: '32'
    // an OpenTelemetry SDK that someone adds must not record URLs: Mailchimp's contain member hashes (docs/decisions/0041)
    OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,httpx,requests,urllib,urllib3'
    // state: the app and its host, by identity
    AzureWebJobsStorage__blobServiceUri: 'https://${stateAccountName}.blob.${storageSuffix}/'
    AzureWebJobsStorage__queueServiceUri: 'https://${stateAccountName}.queue.${storageSuffix}/'
    AzureWebJobsStorage__tableServiceUri: 'https://${stateAccountName}.table.${storageSuffix}/'
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identity.properties.clientId
    // segments
    SEGMENTS_STORAGE__blobServiceUri: segmentsBlobEndpoint
    SEGMENTS_STORAGE__credential: 'managedidentity'
    SEGMENTS_STORAGE__clientId: identity.properties.clientId
    SEGMENTS_CONTAINER: segmentsContainerName
    SEGMENTS_ROOT: segmentsRoot
    SEGMENTS_NULL_MARKERS: '' // the default of the app
    // sign-in and secrets
    PUBLIC_URL: 'https://${site.properties.defaultHostName}'
    KEY_VAULT_URL: 'https://${tokenVaultName}${vaultSuffix}/'
    ENTRA_TENANT_ID: entraTenantId
    ENTRA_CLIENT_ID: entraClientId
    ENTRA_CLIENT_SECRET: '@Microsoft.KeyVault(SecretUri=${configSecrets}/entra-client-secret)'
    ENTRA_AUTHORITY: loginEndpoint
    MAILCHIMP_CLIENT_ID: mailchimpClientId
    MAILCHIMP_CLIENT_SECRET: empty(mailchimpClientId) ? '' : '@Microsoft.KeyVault(SecretUri=${configSecrets}/mailchimp-client-secret)'
    MAILCHIMP_LOGIN_URL: 'https://login.mailchimp.com'
    MAILCHIMP_API_URL: 'https://{dc}.api.mailchimp.com/3.0'
    MAILCHIMP_CONNECTIONS: string(mailchimpConnections)
    CUSTOMER_INSIGHTS_INSTANCE_ID: customerInsightsInstanceId
    CUSTOMER_INSIGHTS_API_URL: 'https://api.ci.ai.dynamics.com/v1'
    CUSTOMER_INSIGHTS_SUBSCRIPTION_KEY: !customerInsightsNeedsSubscriptionKey ? '' : '@Microsoft.KeyVault(SecretUri=${configSecrets}/customer-insights-subscription-key)'
    // size, retention, schedule
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
      excludedPaths: ['/api/health', '/api/openapi.json', '/api/mailchimp/webhooks/*']
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
      // The app needs the identity of the caller, not their tokens. A token store would write these to a disk.
      tokenStore: { enabled: false }
      preserveUrlFragmentsForLogins: false
    }
    httpSettings: { requireHttps: true }
  }
}

// No diagnostic settings. FunctionAppLogs would repeat the log lines of Application Insights, each of them twice on this plan.
// The portal shows the metrics. In the workspace, each metric would add a row a minute, which counts against the daily cap.
// https://github.com/Azure/azure-functions-host/issues/11434

output siteName string = site.name
output publicUrl string = 'https://${site.properties.defaultHostName}'
