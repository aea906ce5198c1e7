"""The list of excluded people: over HTTP, on its page, in a search and in an erasure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.errors import Unavailable
from shared.model.names import exclusions_blob
from tests.web.browser import Browser
from tests.web.client import Response, call, faults, get, new_export
from tests.web.world import World

CSV = {"Content-Type": "text/csv"}
LIST = b'\xef\xbb\xbfEMail\r\n Ada@Contoso.example \r\n"=4711",x\r\nada@contoso.example\r\n\r\n'


def put(world: World, export: str, body: bytes, kind: str = "text/csv") -> Response:
    path = f"/api/exports/{export}/exclusions"
    return call(world, "PUT", path, headers={"Content-Type": kind}, raw=body)


def test_a_list_is_uploaded_read_downloaded_and_deleted() -> None:
    world = World()
    export = new_export(world)
    path = f"/api/exports/{export}/exclusions"
    empty = {"addresses": 0, "customers": 0, "updatedAt": None, "updatedBy": ""}
    assert get(world, path) == empty

    answer = put(world, export, LIST)

    assert answer.status == 200
    assert (answer.json()["addresses"], answer.json()["customers"]) == (1, 1)
    assert get(world, path) == answer.json()
    csv = call(world, "GET", f"{path}.csv").body.decode()
    assert csv == "\ufeffexcluded\r\nada@contoso.example\r\n'=4711\r\n"
    trail = call(world, "GET", "/api/audit").body.decode()
    assert "export.exclusions" in trail
    assert "ada@contoso.example" not in trail

    assert call(world, "DELETE", path).status == 204
    assert get(world, path) == empty


def test_an_invalid_list_is_refused_as_a_whole() -> None:
    world = World()
    export = new_export(world)
    put(world, export, LIST)
    wrong = put(world, export, b"bob@contoso.example\nno@address\n@\n")

    assert (wrong.status, wrong.json()["code"]) == (400, "exclusionsInvalid")
    assert "2, 3" in wrong.json()["detail"]
    assert put(world, export, b"\xff\xfe").json()["code"] == "exclusionsNotCsv"
    refused = put(world, export, LIST, "application/json")
    assert (refused.status, refused.json()["detail"]) == (415, "Send the data as text/csv.")
    assert put(world, "missing", LIST).status == 404
    assert get(world, f"/api/exports/{export}/exclusions")["addresses"] == 1


@pytest.mark.parametrize("empty", [b"", b"\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_a_request_without_a_line_does_not_clear_the_list(empty: bytes) -> None:
    world = World()
    export = new_export(world)
    path = f"/api/exports/{export}/exclusions"
    put(world, export, LIST)

    assert put(world, export, empty).status == 400
    assert get(world, path)["addresses"] == 1

    assert put(world, export, b"email\n").status == 200
    assert get(world, path)["addresses"] == 0


def test_no_person_of_a_file_or_line_is_ignored() -> None:
    world = World()
    export = new_export(world)
    path = f"/api/exports/{export}/exclusions"
    for wrong in (
        b"Ada,ada@contoso.example\n",
        b"Ada;ada@contoso.example\n",
        b"email,id\n,4711\n",
        b"47 11\n",
        b"4711|x\n",
    ):
        assert put(world, export, wrong).json()["code"] == "exclusionsInvalid"
    assert put(world, export, b"email;id\r\nada@contoso.example;1\r\n").status == 200
    put(world, export, b'"=4711"\r\n+bob@contoso.example\r\n')
    uploaded = call(world, "GET", f"{path}.csv").body
    assert b"'=4711" in uploaded
    put(world, export, uploaded)
    assert call(world, "GET", f"{path}.csv").body == uploaded

    page = Browser(world).open(f"/exports/{export}/exclusions")
    page.send(fields={"entries": "a@contoso.example, b@contoso.example; 4711\tc@contoso.example"})
    answer = get(world, path)
    assert (answer["addresses"], answer["customers"]) == (3, 1)


def test_a_copy_of_an_export_excludes_the_same_people() -> None:
    world = World()
    export = new_export(world)
    put(world, export, LIST)
    copy = call(world, "POST", f"/api/exports/{export}/duplicate").json()["id"]
    answer = get(world, f"/api/exports/{copy}/exclusions")
    assert (answer["addresses"], answer["customers"]) == (1, 1)


def test_no_copy_of_an_export_is_left_without_its_list() -> None:
    world = World()
    export = new_export(world)
    put(world, export, LIST)
    lists = world.services.exclusions

    class Interrupted:
        read = lists.files.read

        def write(self, *given: object) -> None:
            raise Unavailable("storageNoAnswer", resource="state", error="Lost")

    files = Interrupted()
    world.serve(replace(world.services, exclusions=replace(lists, files=files)))  # type: ignore[arg-type]
    assert call(world, "POST", f"/api/exports/{export}/duplicate").status == 503
    assert set(world.exports.kept) == {export}


def test_a_damaged_list_is_replaced_or_deleted() -> None:
    world = World()
    export = new_export(world)
    path = f"/api/exports/{export}/exclusions"
    blob = exclusions_blob(export)
    lists = world.services.exclusions
    lists.files.write(blob, b"{")
    assert "cannot be read" in Browser(world).open(f"/exports/{export}/exclusions").text
    assert "Excluded people–" in Browser(world).open(f"/exports/{export}").text
    assert put(world, export, LIST).status == 200
    lists.files.write(blob, b"{")
    assert call(world, "DELETE", path).status == 204
    assert get(world, path)["addresses"] == 0


def test_a_person_edits_the_list_on_its_page() -> None:
    world = World()
    export = new_export(world)
    ada = Browser(world).open(f"/exports/{export}/exclusions")
    ada.send(fields={"entries": "bob@contoso.example\r\n4711\r\nwrong@"})
    assert "Line: 3" in ada.text
    ada.send(fields={"entries": "bob@contoso.example\r\n4711"})
    assert "Saved." in ada.text
    assert "bob@contoso.example\n4711" in ada.open(f"/exports/{export}/exclusions").html
    ada.send(fields={"entries": ""})
    assert get(world, f"/api/exports/{export}/exclusions")["addresses"] == 0


@pytest.mark.parametrize("listed", ["", "bob@contoso.example"], ids=["none", "one"])
def test_a_list_that_someone_else_changed_is_not_replaced_unseen(listed: str) -> None:
    world = World()
    export = new_export(world)
    page, path = f"/exports/{export}/exclusions", f"/api/exports/{export}/exclusions"
    Browser(world).open(page).send(fields={"entries": listed})
    first, second = Browser(world).open(page), Browser(world).open(page)
    first.send(fields={"entries": f"{listed}\neve@contoso.example"})
    second.send(fields={"entries": f"{listed}\nada@contoso.example"})
    assert second.answer.status == 412
    assert "Someone else has changed the list of excluded people." in second.text
    for shown in ("eve@contoso.example", "ada@contoso.example"):
        assert shown in second.html
    assert "eve@contoso.example" in call(world, "GET", f"{path}.csv").body.decode()
    second.send(fields={"entries": "ada@contoso.example\neve@contoso.example"})
    assert get(world, path)["addresses"] == 2


def test_an_open_list_does_not_bring_a_removed_person_back() -> None:
    world = World()
    export = new_export(world)
    page = f"/exports/{export}/exclusions"
    ada = Browser(world).open(page).send(fields={"entries": "bob@contoso.example\n4711"}).open(page)
    # As an erasure does.
    lists = world.services.exclusions
    lists.write(export, replace(lists.read(export), addresses=()))
    ada.send(fields={"entries": "bob@contoso.example\n4711\n4712"})
    assert ada.answer.status == 412
    assert lists.read(export).addresses == ()


def test_a_list_is_replaced_and_deleted_under_the_condition_of_if_match() -> None:
    world = World()
    export = new_export(world)
    path = f"/api/exports/{export}/exclusions"

    def changed(method: str, etag: str, raw: bytes | None = None) -> Response:
        return call(world, method, path, headers={**CSV, "If-Match": etag}, raw=raw)

    none = call(world, "GET", path).headers["ETag"]
    one = changed("PUT", none, LIST).headers["ETag"]
    assert call(world, "GET", path).headers["ETag"] == one != none
    assert call(world, "GET", f"{path}.csv").headers["ETag"] == one
    stale = changed("PUT", none, b"eve@contoso.example")
    assert (stale.status, stale.json()["code"]) == (412, "exclusionsChanged")
    assert changed("DELETE", none).status == 412
    assert changed("PUT", "*", LIST).status == 200
    assert changed("DELETE", one).status == 412
    assert changed("DELETE", call(world, "GET", path).headers["ETag"]).status == 204
    assert call(world, "GET", path).headers["ETag"] == none


def test_viewers_cannot_compute_the_etag_of_a_list() -> None:
    """With a guessed address, they could check whom the list has."""
    worlds = [World(), World()]
    worlds[1].services.new_id()
    found = set()
    for world in worlds:
        export = new_export(world)
        found.add(put(world, export, b"ada@contoso.example").headers["ETag"])
        assert "revision" not in get(world, f"/api/exports/{export}/exclusions")
    assert len(found) == 2


def test_an_exclusion_segment_cannot_also_be_sent() -> None:
    world = World()
    export = get(world, f"/api/exports/{new_export(world)}")
    path = f"/api/exports/{export['id']}"

    wrong = call(world, "PUT", path, {**export, "exclusionSegments": ["Segment_Vip"]})
    assert "exclusionSegments" in faults(wrong)

    form = Browser(world).open(f"/exports/{export['id']}/edit")
    form.send(
        fields={
            "do": "save",
            "segment": ["Segment_Vip"],
            "exclusionSegment": ["New"],
            "exclusionShare": "12.5",
        }
    )
    assert get(world, path)["exclusionSegments"] == ["New"]
    assert get(world, path)["exclusionGuard"] == {"maxShare": 0.125}


def test_a_file_is_uploaded_on_the_page() -> None:
    world = World()
    export = new_export(world)
    path = f"/exports/{export}/exclusions"
    ada = Browser(world).open(path)

    ada.upload(f"{path}/file", b"email\r\nbob@contoso.example\r\nwrong@\r\n")
    assert "Line: 3" in ada.text
    ada.upload(f"{path}/file", LIST)
    assert "Saved." in ada.text
    assert get(world, f"/api{path}")["addresses"] == 1

    # Someone else replaces the list while the page is open.
    other = Browser(world).open(path)
    ada.open(path)
    other.send(fields={"entries": "eve@contoso.example"})
    ada.upload(f"{path}/file", LIST)
    assert ada.answer.status == 412
    assert "Someone else has changed the list of excluded people." in ada.text
    assert "eve@contoso.example" in ada.html
    assert "Compare both versions" not in ada.text
    ada.upload(f"{path}/file", LIST)
    assert "Saved." in ada.text
    assert "eve@contoso.example" not in ada.open(path).html

    # Without the token of the page, and as another type.
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Cookie": "csrf=x"}
    assert call(world, "POST", f"{path}/file", headers=headers, raw=b"--x--\r\n").status == 403
    assert call(world, "POST", f"{path}/file", raw=b"{}").status == 415
    assert get(world, f"/api{path}")["addresses"] == 1
