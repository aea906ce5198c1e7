"""Runs timer triggers: NCRONTAB with seconds, in UTC, one run at a time.

NCRONTAB combines day of month and day of week by AND; other cron programs use OR. This host does not
store the last run (`useMonitor`), so a run that was due while it was stopped is skipped.
https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from azure.functions.meta import Datum
from croniter import croniter
from croniter.croniter import CroniterError

from devhost.functions import InvocationFailed, StartError

LOG = logging.getLogger("devhost.timers")


class Timer:
    """Runs one function on its schedule until `stop`."""

    def __init__(
        self,
        name: str,
        schedule: str,
        invoke: Callable[[Datum, dict[str, Datum]], None],
        *,
        run_on_startup: bool = False,
    ) -> None:
        self.name = name
        self.schedule = _ncrontab(name, schedule)
        self._invoke = invoke
        self._run_on_startup = run_on_startup
        self._stopping = threading.Event()
        self._last: datetime | None = None
        self.busy = False

    def start(self) -> None:
        """Begin to wait for the next time."""
        threading.Thread(target=self._wait, name=f"timer {self.name}", daemon=True).start()

    def stop(self) -> None:
        """Start no further run."""
        self._stopping.set()

    def next_after(self, moment: datetime) -> datetime:
        """Return when it is due next, after a moment (UTC)."""
        due: datetime = croniter(
            self.schedule, moment, second_at_beginning=True, day_or=False
        ).get_next(datetime)
        return due

    def datum(self, now: datetime) -> Datum:
        """What the function receives at a moment."""
        status = {
            "Last": (self._last or datetime(1, 1, 1, tzinfo=UTC)).isoformat(),
            "Next": self.next_after(now).isoformat(),
            "LastUpdated": now.isoformat(),
        }
        content = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": status,
            "IsPastDue": False,
        }
        return Datum(json.dumps(content), "json")

    def datum_now(self) -> Datum:
        """What the function receives when it is run by hand."""
        return self.datum(datetime.now(UTC))

    def _wait(self) -> None:
        if self._run_on_startup:
            self._run()
        due = self.next_after(datetime.now(UTC))
        while not self._stopping.wait(max(0.0, (due - datetime.now(UTC)).total_seconds())):
            if datetime.now(UTC) < due:  # woken too early
                continue
            self._run()
            due = self.next_after(max(due, datetime.now(UTC)))

    def _run(self) -> None:
        now = datetime.now(UTC)
        self.busy = True
        try:
            self._invoke(self.datum(now), {})
        except InvocationFailed:
            LOG.warning("timer %s failed; it is not tried again before its next time", self.name)
        finally:
            self.busy = False
            self._last = now


def _ncrontab(name: str, schedule: str) -> str:
    """The six-field form of a schedule (five fields get second 0).

    Raises:
        StartError: the schedule is not NCRONTAB.
    """
    fields = schedule.split()
    if len(fields) == 5:
        fields.insert(0, "0")
    text = " ".join(fields)
    fault = None if len(fields) == 6 else "six fields are needed"
    try:
        croniter(text, second_at_beginning=True, day_or=False)
    except (ValueError, CroniterError) as error:
        fault = fault or str(error)
    if fault:
        msg = f"Function {name}: {schedule!r} is not an NCRONTAB schedule ({fault})."
        raise StartError(msg)
    return text
