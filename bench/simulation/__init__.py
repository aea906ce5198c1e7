"""The app on its platform in simulated time: queues, instances, leases, Mailchimp's connections."""
