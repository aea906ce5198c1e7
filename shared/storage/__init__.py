"""Storage: state in Azure Storage (tables, blobs, queues, leases) and secrets in Key Vault."""
