"""Client for the Mailchimp Marketing API.

gateway.py opens sessions with accounts. A session (session.py) has all calls: audiences.py, batch_calls.py, member_lists.py,
person_calls.py and webhooks.py. transport.py makes them and repeats failed ones, and tries.py reads the response to one try.
error_responses.py says what an error means, and batch_response.py what happened to each member of a batch call. api_keys.py
and oauth.py check grants.
"""
