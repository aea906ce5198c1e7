"""The statuses of contacts in Mailchimp, for Customer Insights: who unsubscribed, bounced or subscribed again."""
