// The differences between dev and prod. main.bicepparam and the committed snapshots read them.

@export()
@description('Parameters by kind of environment.')
var environments = {
  dev: {
    maximumInstanceCount: 40
    zoneRedundant: false
    softDeleteDays: 7
    logRetentionDays: 30
    logDailyCapGb: 1
  }
  prod: {
    maximumInstanceCount: 40
    zoneRedundant: false
    softDeleteDays: 30
    logRetentionDays: 90
    logDailyCapGb: 5
  }
}
