"""Rules about data: containers, queues, tables, deletion, delivery of events, access logs."""

from __future__ import annotations

from collections.abc import Iterator

from infra.check.code import Code
from infra.check.compiler import SUBSCRIPTION
from infra.check.deployment import Deployment, Resource
from infra.check.platform import SUBSCRIPTIONS, TOPIC, expiry_alert

_ACCOUNT = "Microsoft.Storage/storageAccounts"
_DIAGNOSTICS = "Microsoft.Insights/diagnosticSettings"
WRITTEN_WHOLE = {
    "PutBlob", "PutBlobFromURL", "PutBlockList", "CopyBlob", "CopyBlobFromURL", "FlushWithClose",
    "SftpCommit", "RenameFile", "SftpRename",
}  # fmt: skip
"""Storage calls after which a file is complete, or has its name; CreateFile is an empty file."""

MANIFESTS = {"model.json", ".manifest.cdm.json"}
"""Suffixes of the names of files that describe a refresh."""


def check(deployment: Deployment, code: Code) -> Iterator[str]:
    """Faults of one configuration."""
    state = deployment.named(_ACCOUNT, "state")
    if state is None:
        yield "there is no state account"
        return
    yield from _names(deployment, state, code)
    yield from _deletion(deployment, state)
    yield from _landing(deployment, code)
    yield from _events(deployment, state)
    yield from _logs(deployment)


def _names(deployment: Deployment, state: Resource, code: Code) -> Iterator[str]:
    """Exactly the resources that the code uses exist."""
    queues = {one.name for one in deployment.children(state, f"{_ACCOUNT}/queueServices/queues")}
    tables = {one.name for one in deployment.children(state, f"{_ACCOUNT}/tableServices/tables")}
    containers = {
        one.name for one in deployment.children(state, f"{_ACCOUNT}/blobServices/containers")
    }
    work = {one for one in queues if not one.endswith("-poison")}
    expected = {
        "queue": (queues, code.queues),
        "poison queue": (queues - work, {f"{one}-poison" for one in work}),
        "table": (tables, set(code.tables)),
        "container": (
            containers,
            {*code.containers - {"outcomes"}, "deployment", "dead-letters"},
        ),
    }
    for kind, (there, wanted) in expected.items():
        yield from (f"{kind} {one} is used and not declared" for one in sorted(wanted - there))
        yield from (f"{kind} {one} is declared and not used" for one in sorted(there - wanted))


def _deletion(deployment: Deployment, state: Resource) -> Iterator[str]:
    """Lifecycle rules never reach ledgers, audiences or current files; what is deleted by mistake
    can be restored."""
    policies = deployment.of(f"{_ACCOUNT}/managementPolicies")
    keep = deployment.given.get("retentionDays", 30)
    for policy in policies:
        if not policy.id.startswith(f"{state.id}/"):
            yield "no lifecycle rule on the landing account: it cannot know which files are current"
            continue
        for rule in policy.get("properties", "policy", "rules"):
            prefixes = rule["definition"].get("filters", {}).get("prefixMatch") or [""]
            wrong = [one for one in prefixes if one not in ("state/runs/", "dead-letters/")]
            if wrong:
                yield f"lifecycle rule {rule['name']} must not reach {wrong}"
            days = rule["definition"]["actions"]["baseBlob"]["delete"]
            if days.get("daysAfterModificationGreaterThan", 0) <= keep:
                yield f"lifecycle rule {rule['name']} must leave the app's own retention time"
    ruled = [policy for policy in policies if policy.id.startswith(f"{state.id}/")]
    if not ruled:
        yield "old runs must be deleted even when the app is stopped"
    soft = deployment.given.get("softDeleteDays", 7)
    for service in deployment.of(f"{_ACCOUNT}/blobServices"):
        on_state = service.id.startswith(f"{state.id}/")
        for name in ("deleteRetentionPolicy", "containerDeleteRetentionPolicy"):
            kept = service.get("properties", name) or {}
            if on_state and (not kept.get("enabled") or kept.get("days") != soft):
                yield f"{name} of the state account must keep {soft} days"
            if not on_state and kept.get("enabled"):
                yield "soft delete on the landing account makes Customer Insights' exports fail"


def _landing(deployment: Deployment, code: Code) -> Iterator[str]:
    group = deployment.given.get("existingSegmentsResourceGroup", "rg-example")
    account = deployment.given.get("existingSegmentsAccountName", "")
    accounts = [one.name for one in deployment.of(_ACCOUNT)]
    if deployment.own_landing != any(one.startswith("seg") for one in accounts):
        yield "the landing account must be created exactly if no existing account is given"
    segments = deployment.given.get("segmentsContainerName", "segments")
    containers = [
        one
        for one in deployment.of(f"{_ACCOUNT}/blobServices/containers")
        if f"/storageAccounts/{account or 'seg'}" in one.id
    ]
    expected = {segments, *(code.containers & {"outcomes"})}
    if {one.name for one in containers} != expected or {one.group for one in containers} != {group}:
        yield f"the landing account must have the containers {sorted(expected)}, in {group}"
    subscription = deployment.given.get("existingSegmentsSubscriptionId", SUBSCRIPTION)
    if {one.id.split("/")[2] for one in containers} != {subscription}:
        yield f"the containers of the landing account must be in the subscription {subscription}"


def _events(deployment: Deployment, state: Resource) -> Iterator[str]:
    # Those of the vault are checked in platform.py.
    of_vault, alerts = expiry_alert(deployment)
    topics = [one for one in deployment.of(TOPIC) if one not in of_vault]
    found = [one for one in deployment.of(SUBSCRIPTIONS) if one not in alerts]
    existing = deployment.given.get("existingTopicName", "")
    if len(topics) != (0 if existing else 1) or len(found) != 1:
        yield "there must be one topic with one event subscription, and an existing topic is not changed"
        return
    [subscription] = found
    account = deployment.given.get("existingSegmentsAccountName") or "seg"
    delivery = subscription.get("properties", "deliveryWithResourceIdentity") or {}
    destination = delivery.get("destination") or {}
    target = destination.get("properties") or {}
    dead = subscription.get("properties", "deadLetterWithResourceIdentity") or {}
    letters = (dead.get("deadLetterDestination") or {}).get("properties") or {}
    about = subscription.get("properties", "filter") or {}
    container = deployment.given.get("segmentsContainerName", "segments")
    root = deployment.given.get("segmentsRoot", "")
    begins = f"/blobServices/default/containers/{container}/blobs/{root}"
    advanced = {
        (one.get("key"), one.get("operatorType")): set(one.get("values") or ())
        for one in about.get("advancedFilters") or ()
    }
    for topic in topics:
        if f"/storageAccounts/{account}" not in str(topic.get("properties", "source")):
            yield "the topic must belong to the landing account"
        if topic.get("identity", "type") != "SystemAssigned":
            yield "the topic's identity must be system-assigned"
    own = f"segments-{state.name.removeprefix('state')}"
    state_ids = (state.id, "<storage.outputs.stateAccountId>")
    # What the configuration has, and what it must have.
    rules: dict[str, tuple[object, object]] = {
        "the topic of the subscription must be that of the landing account": (
            f"/{existing or own}/" in subscription.id,
            True,
        ),
        "the subscription must have a name of its own: others may use the topic": (
            subscription.name,
            own,
        ),
        "events must be in the Event Grid schema": (
            subscription.get("properties", "eventDeliverySchema"),
            "EventGridSchema",
        ),
        "events go to the queue blob-events of the state account": (
            (
                destination.get("endpointType"),
                target.get("queueName"),
                target.get("resourceId") in state_ids,
            ),
            ("StorageQueue", "blob-events", True),
        ),
        "the topic delivers by its own identity": (
            [(sent.get("identity") or {}).get("type") for sent in (delivery, dead)],
            ["SystemAssigned", "SystemAssigned"],
        ),
        "undelivered events go to the container dead-letters": (
            (letters.get("blobContainerName"), letters.get("resourceId") in state_ids),
            ("dead-letters", True),
        ),
        "only created and renamed blobs count": (
            set(about.get("includedEventTypes") or ()),
            {"Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobRenamed"},
        ),
        f"only blobs below {begins} count": (about.get("subjectBeginsWith"), begins),
        "only manifests count": (advanced.get(("subject", "StringEndsWith")), MANIFESTS),
        "only files that are written completely count": (
            advanced.get(("data.api", "StringIn")),
            WRITTEN_WHOLE,
        ),
        "delivery is tried for a day": (
            subscription.get("properties", "retryPolicy", "eventTimeToLiveInMinutes"),
            1440,
        ),
    }
    yield from (fault for fault, (found, wanted) in rules.items() if found != wanted)


def _logs(deployment: Deployment) -> Iterator[str]:
    """Access to personal data and secrets is logged, and nothing is logged twice."""
    logged: dict[str, set[str]] = {}
    for one in deployment.of(_DIAGNOSTICS):
        categories = {
            log["category"] for log in one.get("properties", "logs") or () if log["enabled"]
        }
        logged[one.scope.rpartition("/providers/")[2]] = categories
        if one.get("properties", "workspaceId") != "<observability.outputs.workspaceId>":
            yield f"diagnostics of {one.scope.rpartition('/')[2]} must go to the workspace"
    topic = deployment.given.get("existingTopicName")
    account = deployment.given.get("existingSegmentsAccountName")
    expected: dict[str, set[str] | None] = {
        "storageAccounts/state": {"StorageRead", "StorageDelete"},
        # A setting covers all containers of an account, so those of the customer's other programs as well.
        f"storageAccounts/{account or 'seg'}": (
            None if account else {"StorageRead", "StorageWrite", "StorageDelete"}
        ),
        "vaults/tokens-": {"AuditEvent"},
        "vaults/config-": {"AuditEvent"},
        "systemTopics/segments-": None if topic else {"DeliveryFailures"},
    }
    if any("Microsoft.Web/sites/" in scope for scope in logged):
        yield "the app must have no diagnostic settings: Application Insights has its log lines"
    for part, wanted in expected.items():
        found = [kinds for scope, kinds in logged.items() if part in scope]
        if wanted is None and found:
            yield f"{part} of the customer must have no setting of this deployment"
        elif wanted is not None and found != [wanted]:
            yield f"the logs of {part} must be {sorted(wanted)}, not {[*map(sorted, found)]}"
