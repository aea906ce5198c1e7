"""host.json, the connection limit and the infrastructure agree on how much happens at once.

One instance handles `batchSize + newBatchThreshold` messages of a queue at once, each on a thread.
Mailchimp allows 10 connections; leases hold that limit over all instances, so these numbers need to
be large enough for one instance to use all of it, and may be larger.
https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue#host-json
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.check.fault import Fault
from infra.check.project import MAIN
from infra.check.settings import in_azure
from infra.check.template import Template

__all__ = ["check", "seconds"]

MAILCHIMP_LIMIT = 10
READ_TIMEOUT_SECONDS = 125
"""A call that Mailchimp has not answered for so long is given up; it must fit well into a turn."""


def seconds(clock: str) -> int:
    """`00:10:00` as 600."""
    hours, minutes, rest = (int(part) for part in clock.split(":"))
    return hours * 3600 + minutes * 60 + rest


def check(host: Mapping[str, Any], templates: Mapping[str, Template]) -> list[Fault]:
    """Faults in host.json, seen together with the Bicep."""
    queues = host["extensions"]["queues"]
    at_once = queues["batchSize"] + queues["newBatchThreshold"]
    threads = int(str(in_azure(templates).get("PYTHON_THREADPOOL_THREAD_COUNT") or 0))
    parameter = templates[MAIN].parameters["mailchimpConnections"]
    connections = int(str(parameter.default))
    sampling = host["logging"]["applicationInsights"]["samplingSettings"]
    kept = str(sampling.get("excludedTypes", "")).split(";")
    turn = seconds(host["functionTimeout"])
    demands = {
        "mailchimpConnections is at most 10": connections <= MAILCHIMP_LIMIT
        and parameter.decorators.get("maxValue") == [MAILCHIMP_LIMIT],
        "one instance can use every connection": at_once >= connections,
        "there is a thread for every message": threads >= at_once,
        "a batch is at most 32 messages": queues["batchSize"] <= 32,
        "a given-up call fits twice into a turn": turn >= 2 * READ_TIMEOUT_SECONDS,
        "a turn ends within 30 minutes": turn <= 1800,
        "Event Grid writes base64": queues["messageEncoding"] == "base64",
        "a message is tried at least 3 times": queues["maxDequeueCount"] >= 3,
        "a failed message waits before its next try": seconds(queues["visibilityTimeout"]) >= 10,
        "routes are written out": host["extensions"]["http"]["routePrefix"] == "",
        "sampling never drops exceptions, requests or events": {"Exception", "Request", "Trace"}
        <= set(kept)
        or not sampling["isEnabled"],
    }
    return [Fault("host.json", 0, said) for said, held in demands.items() if not held]
