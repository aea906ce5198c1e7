"""Which callers are accepted, with which roles."""

import base64
import json

import pytest

from shared.web.authentication import Authenticator, Principal, Role, highest

HOST = "app.example.com"
DEVELOPER = Principal("dev", "Ada", Role.ADMINISTRATOR)
ROLE_CLAIM = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"


def header(claims: list[tuple[str, str]], **content: object) -> str:
    body = {
        "auth_typ": "aad",
        "name_typ": "name",
        "role_typ": ROLE_CLAIM,
        "claims": [{"typ": typ, "val": val} for typ, val in claims],
        **content,
    }
    return base64.b64encode(json.dumps(body).encode()).decode()


IN_AZURE = Authenticator(authentication_on=True, in_azure=True)


@pytest.mark.parametrize("claim", ["roles", ROLE_CLAIM])
@pytest.mark.parametrize("role", list(Role))
def test_an_app_role_is_read_from_either_claim(claim: str, role: Role) -> None:
    sent = header([("oid", "o-1"), ("name", "Ada"), (claim, role.label)])
    assert IN_AZURE.principal(sent, HOST) == Principal("o-1", "Ada", role)


def test_the_highest_of_several_roles_is_used() -> None:
    sent = header([("oid", "o-1"), ("roles", "Viewer"), ("roles", "Contributor"), ("roles", "X")])
    found = IN_AZURE.principal(sent, HOST)
    assert found is not None
    assert found.role is Role.CONTRIBUTOR
    assert found.may(Role.VIEWER)
    assert not found.may(Role.ADMINISTRATOR)


def test_records_show_the_user_name() -> None:
    sent = header([("oid", "o-1"), ("name", "Ada"), ("preferred_username", "ada@contoso.example")])
    found = IN_AZURE.principal(sent, HOST)
    assert found is not None
    assert found.name == "ada@contoso.example"
    assert not found.is_application


def test_a_client_with_an_app_role_is_identified_by_its_application_id() -> None:
    sent = header([("oid", "o-2"), ("azp", "app-7"), ("idtyp", "app"), ("roles", "Contributor")])
    assert IN_AZURE.principal(sent, HOST) == Principal("o-2", "app-7", Role.CONTRIBUTOR, True)


def test_a_signed_in_caller_without_a_role_is_refused() -> None:
    found = IN_AZURE.principal(header([("oid", "o-1"), ("roles", "administrator")]), HOST)
    assert found is not None
    assert not any(found.may(role) for role in Role)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "no base64 at all",
        base64.b64encode(b"no json").decode(),
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b'{"claims": {}}').decode(),
        base64.b64encode(b'{"claims": [1, null, {"typ": 1, "val": 2}]}').decode(),
        header([("roles", "Administrator")]),
        header([("oid", ""), ("roles", "Administrator")]),
        header([("oid", "o-1")]) + "=" * 70_000,
    ],
)
def test_an_absent_or_malformed_identity_header_is_anonymous(sent: str | None) -> None:
    assert IN_AZURE.principal(sent, HOST) is None


@pytest.mark.parametrize("in_azure", [True, False])
def test_a_forged_identity_header_is_ignored_when_authentication_is_off(in_azure: bool) -> None:
    sent = header([("oid", "o-1"), ("roles", "Administrator")])
    assert Authenticator(False, in_azure).principal(sent, HOST) is None


def test_the_developer_identity_is_used_on_this_machine_only() -> None:
    authenticator = Authenticator(False, False, DEVELOPER, "http://dev.contoso.example:7071")
    for host in ("localhost", "127.0.0.1", "::1", "dev.contoso.example"):
        assert authenticator.principal(None, host) == DEVELOPER
    assert authenticator.principal(None, "rebound.example.org") is None


def test_the_developer_identity_is_not_used_in_azure() -> None:
    authenticator = Authenticator(False, True, DEVELOPER)
    assert authenticator.principal(None, "localhost") is None


def test_the_developer_identity_does_not_replace_a_missing_sign_in() -> None:
    authenticator = Authenticator(True, False, DEVELOPER)
    assert authenticator.principal(None, "localhost") is None


def test_unknown_roles_are_ignored() -> None:
    assert highest(["Owner", ""]) is None


def test_a_claim_of_another_type_grants_no_role() -> None:
    sent = header(
        [("oid", "o-1"), ("name", "Ada"), ("department", "Administrator")], role_typ="department"
    )
    assert IN_AZURE.principal(sent, HOST) == Principal("o-1", "Ada", None)
