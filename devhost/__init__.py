"""Runs the app where Azure Functions Core Tools are not installed; development only, never deployed.

It follows the rules of the Functions host for HTTP, queues and timers; tests/devhost/test_real_host.py
compares both. It has no function keys, functionTimeout, retry policies, singletons, schedule monitor
(past_due), daylight saving, scale-out, HTTP streaming, and no triggers but HTTP, queue and timer.
Read `host` first, then `engine`.
"""
