"""Names of queues and blobs, and the keys of audiences.

Names consist of ids and numbers only, so that none contains personal data.
"""

from __future__ import annotations

PLAN_RUNS = "plan-runs"
SEND_LANES = "send-lanes"
BLOB_EVENTS = "blob-events"
CONSENT_SWEEPS = "consent-sweeps"

ALL_NOT_SUBSCRIBED = "audiences/"
ALL_EXCLUSIONS = "exclusions/"


def audience_key(account_id: str, audience_id: str) -> str:
    """The key of an audience, in records and in the names of its blobs."""
    return f"{account_id}/{audience_id}"


def account_in(key: str) -> str:
    """The id of the account in the key of an audience."""
    return key.partition("/")[0]


def audience_in(key: str) -> str:
    """The id of the audience in its key."""
    return key.partition("/")[2]


def run_folder(run_id: str) -> str:
    """The folder of a run, deleted as a whole after the retention period."""
    return f"runs/{run_id}/"


def plan_blob(run_id: str) -> str:
    """The plan of a run, written once: the first attempt to write it is the valid one."""
    return f"runs/{run_id}/plan.json"


def plan_folder(run_id: str, attempt: str) -> str:
    """The files of one attempt at planning; `plan.json` names the valid attempt."""
    return f"runs/{run_id}/plan-{attempt}/"


def former_holders_folder(run_id: str) -> str:
    """The folder that records who had tags before a run: only one attempt at planning finds this out, so all share it."""
    return f"runs/{run_id}/plan-taken-over/"


def former_holders_blob(run_id: str, tag_id: int) -> str:
    """The blob that records who had a tag of others before a run took it over."""
    return f"{former_holders_folder(run_id)}{tag_id}.parquet"


def own_tag_holders_blob(run_id: str, tag_id: int) -> str:
    """The blob that records who had a tag of the export before a run that found no ledger."""
    return f"{former_holders_folder(run_id)}own-{tag_id}.parquet"


def person_blob(run_id: str) -> str:
    """The person that a run sends, if it sends one person only."""
    return f"runs/{run_id}/person.json"


def outcome_blob(run_id: str, chunk: int, attempt: str) -> str:
    """The outcomes of one attempt at a chunk; the record of the chunk names the valid attempt."""
    return f"runs/{run_id}/outcomes/{chunk:06d}-{attempt}.csv"


def outcomes_table(run_id: str) -> str:
    """All outcomes of a run as a table."""
    return f"runs/{run_id}/outcomes.parquet"


def exclusions_blob(export_id: str) -> str:
    """The list of people that an export never sends."""
    return f"{ALL_EXCLUSIONS}{export_id}.json"


def ledger_folder(export_id: str) -> str:
    """All versions of an export's ledger."""
    return f"ledgers/{export_id}/"


def ledger_blob(export_id: str, version: str) -> str:
    """One version of an export's ledger; the pointer record names the current one."""
    return f"ledgers/{export_id}/{version}.parquet"


def run_of_ledger(blob: str) -> str:
    """The id of the run that wrote a version of a ledger."""
    return blob.rpartition("/")[2].partition("-")[0]


def not_subscribed_folder(key: str) -> str:
    """All versions of an audience's list of contacts who are not subscribed."""
    return f"{ALL_NOT_SUBSCRIBED}{key}/"


def not_subscribed_blob(key: str, version: str) -> str:
    """One version of that list."""
    return f"{not_subscribed_folder(key)}{version}.parquet"


def contacts_folder(key: str) -> str:
    """All versions of the contacts of an audience that the sweeps stored."""
    return f"consent/{key}/"


def contacts_blob(key: str, version: str) -> str:
    """One version of these contacts; the record of the audience names the current one."""
    return f"{contacts_folder(key)}{version}.parquet"
