"""The REST API client against a fake server that follows the documentation."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from shared.errors import ConfigError, Disconnected, NotFound, Refused, Unavailable
from shared.model.finding import Reason
from shared.model.source import Attribute
from shared.segments.choosing.catalogue import (
    AttributeInfo,
    ListedSegments,
    SegmentInfo,
    SegmentSample,
)
from shared.segments.choosing.described_catalogue import DescribedCatalogue
from shared.segments.customer_insights_api import (
    ApiSegment,
    CustomerInsightsApi,
    RefreshJob,
)
from shared.version import USER_AGENT
from tests.local_server import QuietHandler, serving

INSTANCE = "5e6b6b2c-0b2c-4d1c-9a55-0123456789ab"
KEY, TOKEN = "subscription-key", "access-token"

SEGMENTS = [
    {
        "name": "Gold",
        "friendlyName": "Gold members",
        "state": "active",
        "evaluationStatus": {
            "jobStatus": "CompletedSuccess",
            "evaluationDate": "2024-05-06T01:02:03Z",
            "entityCount": 1234,
        },
    },
    {"name": "Planned", "state": "active", "evaluationStatus": None},
    {"name": "Asleep", "friendlyName": "", "state": "inactive"},
    {"friendlyName": "no name"},
]
CUSTOMER = {
    "name": "Customer",
    "entityType": "profile",
    "attributes": [
        {"name": "CustomerId", "dataType": "string"},
        {"name": "Contact", "dataType": "string", "semanticType": "IdentityServiceEmail"},
        {"name": "EMail", "dataType": "string"},
    ],
}
JOBS = [
    {
        "jobId": "j1",
        "jobType": "full",
        "jobSubmissionKind": "scheduled",
        "jobStatus": "successful",
        "operationType": "all",
        "endTimestamp": "2024-05-06T01:10:00Z",
    }
]


@dataclass
class Environment:
    """One Customer Insights environment; `faults` are answered first, one per call."""

    faults: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)

    def answer(self, path: str, headers: object) -> tuple[int, dict[str, str], bytes]:
        self.paths.append(path)
        self.agents.add(headers["User-Agent"])
        if self.faults:
            return self.faults.pop(0)
        if headers["Authorization"] != f"Bearer {TOKEN}":
            return problem(401)
        if headers["Ocp-Apim-Subscription-Key"] != KEY:
            return problem(401)
        base = f"/v1/instances/{INSTANCE}"
        found = {
            f"{base}/manage/segments": SEGMENTS,
            f"{base}/manage/entities/Customer": CUSTOMER,
            f"{base}/manage/workflows/main/jobs": JOBS,
        }.get(path)
        if found is None:
            return problem(404)
        return 200, {}, json.dumps(found).encode()


def problem(status: int, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """An ApiErrorResult, as in the documentation."""
    body = {
        "errorCode": "E",
        "message": "secret@example.com",
        "resultSeverity": "error",
        "httpStatusCode": status,
        "params": [],
        "ciResults": [],
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, json.dumps(body).encode()


@pytest.fixture
def environment() -> Iterator[tuple[Environment, str]]:
    place = Environment()

    class Responses(QuietHandler):
        def do_GET(self) -> None:
            status, headers, body = place.answer(self.path, self.headers)
            self.respond(status, body, headers)

    with serving(Responses) as host:
        yield place, f"http://{host}/v1"


def test_a_wrong_subscription_key_does_not_invalidate_the_export_user(
    environment: tuple[Environment, str], slept: list[float]
) -> None:
    refused: list[bool] = []
    api = CustomerInsightsApi(
        environment[1],
        INSTANCE,
        KEY,
        lambda: TOKEN,
        slept.append,
        refused=lambda: refused.append(True),
    )
    gateway = 'AzureApiManagementKey realm="https://api",name="Ocp-Apim-Subscription-Key"'
    environment[0].faults.append(problem(401, WWW_Authenticate=gateway))
    with pytest.raises(ConfigError, match="SUBSCRIPTION_KEY"):
        api.segments()
    assert refused == []
    environment[0].faults.append(problem(401))
    with pytest.raises(Disconnected):
        api.segments()
    assert refused == [True]


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def api(environment: tuple[Environment, str], slept: list[float]) -> CustomerInsightsApi:
    return CustomerInsightsApi(environment[1], INSTANCE, KEY, lambda: TOKEN, slept.append)


def test_segments_come_with_state_size_and_age(api: CustomerInsightsApi) -> None:
    gold, planned, asleep = api.segments()
    assert gold == ApiSegment(
        "Gold",
        "Gold members",
        "active",
        1234,
        datetime(2024, 5, 6, 1, 2, 3, tzinfo=UTC),
    )
    assert (planned.display_name, planned.member_count, planned.is_active) == (
        "Planned",
        None,
        True,
    )
    assert not asleep.is_active


def test_attributes_come_with_their_semantic_types(api: CustomerInsightsApi) -> None:
    assert Attribute("Contact", "string", "IdentityServiceEmail") in api.attributes()


def test_refresh_jobs_are_listed(api: CustomerInsightsApi) -> None:
    assert api.jobs() == [
        RefreshJob("j1", "all", "scheduled", "successful", datetime(2024, 5, 6, 1, 10, tzinfo=UTC))
    ]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused),
        (401, Disconnected),
        (403, ConfigError),
        (404, NotFound),
        (302, Refused),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_every_documented_error_is_mapped_without_repeating_the_response(
    api: CustomerInsightsApi,
    environment: tuple[Environment, str],
    status: int,
    error: type[Exception],
) -> None:
    environment[0].faults = [problem(status, Location="http://127.0.0.1:1/x")] * 3
    with pytest.raises(error) as caught:
        api.segments()
    assert "secret" not in str(caught.value)
    assert type(caught.value) is error


def test_a_short_outage_is_waited_out(
    api: CustomerInsightsApi, environment: tuple[Environment, str], slept: list[float]
) -> None:
    environment[0].faults = [problem(503), problem(429, Retry_After="4")]
    assert len(api.segments()) == 3
    assert slept == [1.0, 4.0]


def test_a_long_delay_is_left_to_the_caller(
    api: CustomerInsightsApi, environment: tuple[Environment, str], slept: list[float]
) -> None:
    environment[0].faults = [problem(429, Retry_After="120")]
    with pytest.raises(Unavailable) as caught:
        api.segments()
    assert (caught.value.retry_after, caught.value.throttled, slept) == (120, True, [])


@pytest.mark.parametrize("body", [b"", b"<html>", b"5", b'{"value": 5}', b"x" * 17_000_000])
def test_a_response_that_is_not_a_list_is_unavailable(
    api: CustomerInsightsApi, environment: tuple[Environment, str], body: bytes
) -> None:
    environment[0].faults = [(200, {}, body)] * 3
    with pytest.raises(Unavailable):
        api.segments()


def test_an_unreachable_server_is_unavailable(slept: list[float]) -> None:
    api = CustomerInsightsApi("http://127.0.0.1:1/v1", INSTANCE, KEY, lambda: TOKEN, slept.append)
    with pytest.raises(Unavailable):
        api.segments()


def test_a_malformed_id_is_a_config_error(slept: list[float]) -> None:
    with pytest.raises(ConfigError, match="CUSTOMER_INSIGHTS_INSTANCE_ID"):
        CustomerInsightsApi("https://x/v1", "../x", KEY, lambda: TOKEN, slept.append)


class Blobs:
    """What was exported: Gold (not counted yet) and Plain, which the API does not know."""

    def listing(self) -> ListedSegments:
        return ListedSegments(
            (
                SegmentInfo("Gold", "Gold", None, None, True),
                SegmentInfo("Plain", "Plain", 3, None, True),
            ),
            (Reason("modelNotJson", values={"where": "a/model.json"}),),
        )

    def sample(self, segments: Sequence[str]) -> SegmentSample | None:
        return SegmentSample("Gold", {"EMail": ["ada@example.com"]})

    def overview(self) -> tuple[ListedSegments, list[AttributeInfo]]:
        return self.listing(), self.attributes()

    def attributes(self, segment: str | None = None) -> list[AttributeInfo]:
        if segment not in {None, "Gold", "Plain"}:
            raise NotFound("segmentNotFound", segment=segment or "")
        return [
            AttributeInfo("EMail", "string", None, "email"),
            AttributeInfo("Contact", "string", None, None),
        ]


def described_by(api: CustomerInsightsApi) -> DescribedCatalogue:
    return DescribedCatalogue(Blobs(), api.segments, api.attributes)  # type: ignore[arg-type]


def test_the_api_adds_names_sizes_and_segments_not_exported_yet(api: CustomerInsightsApi) -> None:
    found = described_by(api).listing().segments
    assert [(s.name, s.display_name, s.member_count, s.complete) for s in found] == [
        ("Gold", "Gold members", 1234, True),
        ("Plain", "Plain", 3, True),
        ("Planned", "Planned", None, False),
    ]
    assert [s.reason and s.reason.code for s in found] == [None, None, "segmentMissing"]
    listing, attributes = described_by(api).overview()
    assert (listing.segments, listing.faults) == (found, Blobs().listing().faults)
    assert attributes == described_by(api).attributes()


def test_the_semantic_type_of_the_api_determines_the_suggestion(api: CustomerInsightsApi) -> None:
    found = described_by(api).attributes("Gold")
    assert [(a.name, a.semantic_type, a.suggested_for) for a in found] == [
        ("EMail", None, None),
        ("Contact", "IdentityServiceEmail", "email"),
    ]


def test_a_segment_that_is_not_exported_yet_shows_the_attributes_of_the_profile(
    api: CustomerInsightsApi,
) -> None:
    found = described_by(api).attributes("Planned")
    assert [each.name for each in found] == ["CustomerId", "Contact", "EMail"]
    with pytest.raises(NotFound):
        described_by(api).attributes("Nowhere")


def test_without_the_api_the_catalogue_shows_the_blobs(
    api: CustomerInsightsApi, environment: tuple[Environment, str]
) -> None:
    described = described_by(api)
    environment[0].faults = [problem(401)]
    assert described.listing() == Blobs().listing()
    environment[0].faults = [problem(503)] * 3
    assert described.attributes("Gold") == Blobs().attributes("Gold")
    assert environment[0].agents == {USER_AGENT}
