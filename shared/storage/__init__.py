"""Storage: Azure state - records (tables), files (blobs), queues, leases and secrets."""
