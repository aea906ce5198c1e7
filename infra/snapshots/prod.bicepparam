// A production environment as in docs/deploy.md, steps 2 to 4.
using '../main.bicep'

import { environments } from '../environments.bicep'

param environmentName = 'prod'
param entraClientId = '00000000-0000-0000-0000-0000000000e1'
param mailchimpClientId = '123456789012'
param customerInsightsPrincipalId = '00000000-0000-0000-0000-0000000000c1'
param configWriterPrincipalId = '00000000-0000-0000-0000-0000000000a1'
param alertEmail = 'operations@example.com'
param maximumInstanceCount = environments.prod.maximumInstanceCount
param zoneRedundant = environments.prod.zoneRedundant
param softDeleteDays = environments.prod.softDeleteDays
param logRetentionDays = environments.prod.logRetentionDays
param logDailyCapGb = environments.prod.logDailyCapGb
