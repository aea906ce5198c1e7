"""The ten connections of a Mailchimp account: slots, throttling, on-demand sessions, renewed leases."""
