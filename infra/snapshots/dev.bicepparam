// What `azd up` creates with nothing set but the required values.
using '../main.bicep'

import { environments } from '../environments.bicep'

param environmentName = 'dev'
param entraClientId = '00000000-0000-0000-0000-0000000000e1'
param maximumInstanceCount = environments.dev.maximumInstanceCount
param zoneRedundant = environments.dev.zoneRedundant
param softDeleteDays = environments.dev.softDeleteDays
param logRetentionDays = environments.dev.logRetentionDays
param logDailyCapGb = environments.dev.logDailyCapGb
