"""The operations of the app, called by the JSON API and by the pages.

Plain functions: they take the context of a request and typed values, and return values of the model. They
raise the errors of errors.py and do not depend on HTTP, except for ETags. Changes are recorded in the audit
trail. What needs neither a check nor a record is read from the services directly.
"""
