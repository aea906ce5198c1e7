"""The API and the page of a connection show how current Mailchimp's statuses are."""

import pytest

from tests.consent_updates.consent_deployment import ConsentDeployment
from tests.faults.simulated_deployment import CONNECTION, NewDeployment
from tests.web.client import Response, request


@pytest.fixture
def made(new_deployment: NewDeployment) -> ConsentDeployment:
    made = ConsentDeployment(new_deployment())
    made.seed(3)
    return made


def get(made: ConsentDeployment, path: str, language: str = "en") -> Response:
    url = f"http://127.0.0.1:7071{path}"
    answer = request(made.app.web, "GET", url, {"Accept-Language": language})
    assert answer.status == 200, answer.body
    return answer


def test_the_api_shows_what_was_read_and_published(made: ConsentDeployment) -> None:
    path = f"/api/connections/{CONNECTION}/consent"
    (before,) = get(made, path).json()["value"]
    assert (before["webhook"], before["statuses"]) == ("none", {})
    made.audience.unsubscribe("p1@example.com")
    made.sweep()

    (after,) = get(made, path).json()["value"]

    assert after["audienceName"] == made.audience.name
    assert after["statuses"] == {"subscribed": 2, "unsubscribed": 1}
    assert (after["webhook"], after["complete"]) == ("registered", True)
    assert after["readAt"] < after["publishedAt"]


def test_the_page_shows_the_same_in_both_languages(made: ConsentDeployment) -> None:
    made.sandbox.world.webhooks.fetch = lambda *_: 0
    made.sweep()
    path = f"/connections/{CONNECTION}"
    english = get(made, path).body.decode()
    korean = get(made, path, "ko").body.decode()

    assert "Subscribed: 3" in english
    assert "Mailchimp does not report changes" in english
    assert "Mailchimp가 변경 내용을 알리지 않으므로" in korean
    assert made.audience.name in korean


def test_the_page_names_the_reason_of_a_failed_reading(made: ConsentDeployment) -> None:
    made.rows.change(audience_id="a0a0a0a0a0")
    made.sweep()

    assert "The last reading failed: " in get(made, f"/connections/{CONNECTION}").body.decode()
    (state,) = get(made, f"/api/connections/{CONNECTION}/consent", "ko").json()["value"]
    assert state["problem"]["message"]
