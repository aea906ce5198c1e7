"""What Mailchimp decided about contacts, for Customer Insights: who unsubscribed, bounced or came back."""
