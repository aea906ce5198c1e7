"""Lanes claim chunks, write them to Mailchimp and record the outcomes.

lane.py handles the message of a lane, and worker.py sends its chunks: chunk_queue.py claims one, chunk_payload.py reads
it, and chunk_calls.py makes its calls, with write.py or contact_changes.py. isolate.py finds the rows that make a call fail.
lost_responses.py finds out whether a call without a response was applied, and absent_people.py whether people who look
deleted may be added again.
"""
