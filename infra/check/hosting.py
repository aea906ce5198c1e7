"""Rules about concurrency: host.json, the connection limit and the infrastructure agree.

One instance handles `batchSize + newBatchThreshold` messages of a queue at once, each on a thread.
Mailchimp allows 10 connections; leases hold that limit over all instances, so these numbers need to
be large enough for one instance to use all of it, and may be larger.
https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue#host-json
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MAILCHIMP_LIMIT = 10
READ_TIMEOUT_SECONDS = 125
"""Seconds after which an unanswered call is abandoned; two such calls must fit into one execution."""


def seconds(clock: str) -> int:
    """Convert `00:10:00` to 600."""
    hours, minutes, rest = (int(part) for part in clock.split(":"))
    return hours * 3600 + minutes * 60 + rest


def thread_count(template: Mapping[str, Any]) -> int:
    """The threads of a worker, as the compiled template sets them."""
    settings = template["resources"]["app"]["properties"]["template"]["resources"]["settings"]
    return int(settings["properties"].get("PYTHON_THREADPOOL_THREAD_COUNT") or 0)


def check(host: Mapping[str, Any], template: Mapping[str, Any]) -> Iterator[str]:
    """Faults in host.json and the compiled template."""
    queues = host["extensions"]["queues"]
    at_once = queues["batchSize"] + queues["newBatchThreshold"]
    connections = template["parameters"]["mailchimpConnections"]
    sampling = host["logging"]["applicationInsights"]["samplingSettings"]
    kept = str(sampling.get("excludedTypes", "")).split(";")
    execution = seconds(host["functionTimeout"])
    rules = {
        "mailchimpConnections is at most 10": connections["maxValue"] <= MAILCHIMP_LIMIT
        and connections["defaultValue"] <= MAILCHIMP_LIMIT,
        "one instance can use every connection": at_once >= connections["defaultValue"],
        "there is a thread for every message": thread_count(template) >= at_once,
        "a batch is at most 32 messages": queues["batchSize"] <= 32,
        "two calls that are given up fit into one execution": execution >= 2 * READ_TIMEOUT_SECONDS,
        "an execution ends within 30 minutes": execution <= 1800,
        "Event Grid writes base64": queues["messageEncoding"] == "base64",
        "a message is tried at least 3 times": queues["maxDequeueCount"] >= 3,
        "a failed message waits before its next try": seconds(queues["visibilityTimeout"]) >= 10,
        "routes are written out": host["extensions"]["http"]["routePrefix"] == "",
        "sampling never drops exceptions, requests or events": {"Exception", "Request", "Trace"}
        <= set(kept)
        or not sampling["isEnabled"],
    }
    yield from (fault for fault, is_met in rules.items() if not is_met)
