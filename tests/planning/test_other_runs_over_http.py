"""Runs that are no exports: of one person, a preview, and the archiving of unused contacts, over HTTP."""

from __future__ import annotations

from typing import Any

from shared.model.run import Run
from tests.faults.simulated_deployment import CONNECTION, EXPORT, NewDeployment
from tests.planning.row_deployment import RowDeployment, person
from tests.web.client import call, get


def test_one_person_a_preview_and_archiving_are_started_and_read_over_http(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment()
    rows = RowDeployment(deployment)
    rows.define()
    app = deployment.app

    def started(path: str, body: dict[str, Any]) -> Run:
        answer = call(app, "POST", f"/api/exports/{EXPORT}/{path}", body)
        assert answer.status == 202, answer.body
        return deployment.run_to_end(answer.json()["id"])

    rows.source.segments = {"People": [person(n) for n in range(4)]}
    one = started("send-person", {"email": "P1@example.com"})
    [contact] = get(app, f"/api/runs/{one.id}/sent-person")["value"]
    assert (contact["address"], contact["tagsSent"]) == ("p1@example.com", ["People"])
    names = next(each for each in contact["fields"] if each["tag"] == "FNAME")
    assert (names["sent"], names["now"]) == ("P1", "P1")
    assert "p1@example.com" in call(app, "GET", f"/runs/{one.id}").body.decode()

    deployment.run()
    rows.source.segments = {"People": [person(0)]}
    preview = started("runs", {"mode": "preview"})
    csv = call(app, "GET", f"/api/runs/{preview.id}/differences.csv").body.decode("utf-8-sig")
    assert csv.splitlines()[1] == "leaving,1,p1@example.com,,,People,,P1,P1"

    deployment.run()
    audience = f"/connections/{CONNECTION}/audiences/{deployment.audience.id}"
    found = get(app, f"/api{audience}/hygiene")
    assert [one["people"] for one in found["unused"]] == [3]
    assert call(app, "GET", audience).status == 200
    archived = started("archive-unused", {"people": 3})
    assert archived.consent_proof.archived == 3
    assert call(app, "GET", f"/runs/{archived.id}/undo").status == 200
