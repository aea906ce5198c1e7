"""Runs the app where Azure Functions Core Tools are not installed; development only, never deployed.

It keeps the host's rules for HTTP, queues and timers. It does not do: function keys, functionTimeout,
retry policies, singletons and the timer's memory (past_due), daylight saving, scale-out, HTTP
streaming, and triggers other than HTTP, queue and timer. Start reading at `host`, then `engine`.
"""
