// Alerts: queries over the app's own events, and Key Vault's event about secrets that expire. The name of each is its section in
// docs/operate.md.
// An event is one log line whose message is a JSON object with `event`; it has ids and counts, never an address.
// https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-create-log-alert-rule

@description('Makes names unique within Azure.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

@description('Workspace with the logs.')
param workspaceId string

@description('Vault for client secrets.')
param configVaultName string

@description('Action groups to notify.')
param actionGroupIds string[]

@description('Address for a new action group. Empty: none.')
param alertEmail string

@description('Share of rejected rows in a run, 0-100.')
param rejectSharePercent int

// Turns a log line into an event. The alerts below and workbook.json begin with it.
var events = 'AppTraces | where Message startswith "{" | extend e = parse_json(Message) | where isnotempty(e.event)'

var rows = [
  {
    name: 'run-failed'
    title: 'An export run failed'
    severity: 1
    query: '${events} | where e.event == "run.finished" and e.status == "failed"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'message-gave-up'
    title: 'Work was given up after its last try'
    severity: 1
    query: 'AppRequests | where Name in ("plan_run_poison", "send_lane_poison", "blob_event_poison", "consent_sweep_poison")'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    // Every tick logs the queue again: two ticks with messages mean that no function empties it. The alert fires once and stays
    // active until the queue is empty.
    name: 'message-stuck'
    title: 'A message that no function can read stays in a poison queue'
    severity: 2
    query: '${events} | where e.event == "message.stuck" | summarize ticks = count() by queue = tostring(e.queue) | where ticks >= 2'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'connection-lost'
    title: 'A Mailchimp connection must be connected again'
    severity: 1
    query: '${events} | where e.event == "connection.lost"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'run-waiting'
    title: 'A run waits until a person confirms it'
    severity: 2
    query: '${events} | where e.event == "run.waiting"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'export-overdue'
    title: 'A scheduled export has not started successfully for two periods'
    severity: 2
    query: '${events} | where e.event == "export.overdue"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'many-rejects'
    title: 'A run rejected more rows than usual'
    severity: 2
    query: '${events} | where e.event == "run.finished" and toint(e.sourceRows) > 0 | where 100.0 * toint(e.rejected) / toint(e.sourceRows) > ${rejectSharePercent}'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'queue-slow'
    title: 'Messages wait for minutes before they are processed'
    severity: 2
    query: '${events} | where e.event == "message.late" and todouble(e.waitedSeconds) > 300'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'app-silent'
    title: 'The app has stopped checking what is due, or its logs are capped'
    severity: 1
    query: 'AppRequests | where Name == "tick" and Success == true'
    window: 'PT1H'
    operator: 'LessThan'
    threshold: 1
  }
]

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmail)) {
  name: 'ag-${token}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'mc-export'
    enabled: true
    emailReceivers: [{ name: 'owner', emailAddress: alertEmail, useCommonAlertSchema: true }]
  }
}

var groups = concat(actionGroupIds, empty(alertEmail) ? [] : [group.id])

resource rules 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [for row in rows: {
  name: '${row.name}-${token}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: row.title
    description: 'What to do: docs/operate.md#${row.name}'
    severity: row.severity
    enabled: true
    scopes: [workspaceId]
    evaluationFrequency: 'PT15M'
    windowSize: row.window
    autoMitigate: true
    // A new workspace has no such table until the app has written its first line.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: row.query
          timeAggregation: 'Count'
          operator: row.operator
          threshold: row.threshold
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: {
      actionGroups: groups
      customProperties: { runbook: 'docs/operate.md#${row.name}' }
    }
  }
}]

// Key Vault reports a secret 30 days before it expires. Event Grid turns this event into an alert, which needs an action group.
// https://learn.microsoft.com/azure/event-grid/handler-azure-monitor-alerts
resource configVault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: configVaultName
}

resource vaultTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (!empty(groups)) {
  name: 'secrets-${token}'
  location: location
  tags: tags
  properties: {
    source: configVault.id
    topicType: 'Microsoft.KeyVault.vaults'
  }
}

resource secretExpires 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = if (!empty(groups)) {
  parent: vaultTopic
  name: 'secret-expires'
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0' // the only one that this destination accepts
    destination: {
      endpointType: 'MonitorAlert'
      properties: {
        severity: 'Sev2'
        description: 'A secret of the app expires. What to do: docs/operate.md#secret-expires'
        actionGroups: groups
      }
    }
    filter: {
      includedEventTypes: ['Microsoft.KeyVault.SecretNearExpiry', 'Microsoft.KeyVault.SecretExpired']
    }
  }
}
