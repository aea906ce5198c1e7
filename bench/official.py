"""A short script with Mailchimp's own client for comparison: 500 members a call, 10 threads.

It runs in a process of its own, so that its processor time and memory can be measured.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import mailchimp_marketing

from bench.environment import peak_memory_mb
from sandbox.samples import Sample, truth


@dataclass(frozen=True)
class ScriptUsage:
    """What the script used from the first call to the last, and the peak of its memory with all people in it."""

    seconds: float
    cpu: float
    peak_mb: float


def run_script(url: str, api_key: str, audience_id: str, sample: Sample) -> ScriptUsage:
    """Send a sample to an audience, in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_send_all, url, api_key, audience_id, sample).result()


def _send_all(url: str, api_key: str, audience_id: str, sample: Sample) -> ScriptUsage:
    people: list[dict[str, Any]] = [
        {
            "email_address": one.address,
            "status": "subscribed",
            "merge_fields": {
                "FNAME": one.profiles[0].first_name,
                "LNAME": one.profiles[0].last_name,
                "POINTS": one.profiles[0].reward_points,
            },
            "tags": sorted(one.segments),
        }
        for one in truth(sample)
    ]
    client = mailchimp_marketing.Client()
    client.set_config({"api_key": api_key, "server": "us1"})
    client.lists.api_client.host = f"{url}/3.0"
    batches = list(_batches(people))
    started, cpu = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(10) as threads:
        list(
            threads.map(
                lambda members: client.lists.batch_list_members(
                    audience_id, {"members": members, "update_existing": True}
                ),
                batches,
            )
        )
    return ScriptUsage(
        time.monotonic() - started, time.process_time() - cpu, peak_memory_mb(os.getpid())
    )


def _batches(people: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rest = iter(people)
    while batch := list(islice(rest, 500)):
        yield batch
