"""What people do with the app, for the JSON API and the pages alike.

Plain functions: they take the services, the caller and typed values, and return values of the model. They
raise the errors of errors.py and know nothing of HTTP but ETags. Changes are recorded in the audit trail.
"""
