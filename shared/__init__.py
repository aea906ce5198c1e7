"""The app behind the triggers of function_app.py. docs/architecture.md describes the packages.

app/ makes all parts. Data goes from segments/ (what Customer Insights wrote) through planning/,
sending/ and finishing/ to mailchimp/ (the audience). storage/ keeps the state; web/ has the API and the pages.
"""
