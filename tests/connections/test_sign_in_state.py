"""A sign-in state can be redeemed once, before it expires, by the same person in the same browser."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.connections.sign_in_state import (
    LIFE_SECONDS,
    SignedStates,
    SignInState,
    check,
    sign,
)
from shared.errors import ConfigError

KEY = b"k" * 32
STATE = SignInState("mailchimp", "c1", "ada", 1000, "n0nce")


def checked(text, **more):
    asked = {"purpose": "mailchimp", "principal_id": "ada", "cookie": "b", "key": KEY, "now": 1010}
    return check(text, **{**asked, **more})


def test_a_state_is_read_back_unchanged():
    assert checked(sign(STATE, "b", KEY)) == STATE


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"purpose": "entra"}, "signInInvalid"),
        ({"principal_id": "eve"}, "signInForeign"),
        ({"cookie": "another"}, "signInInvalid"),
        ({"cookie": ""}, "signInIncomplete"),
        ({"cookie": "ü"}, "signInInvalid"),
        ({"key": b"x" * 32}, "signInInvalid"),
    ],
)
def test_a_state_of_another_person_purpose_browser_or_app_is_refused(change, code):
    with pytest.raises(ConfigError) as caught:
        checked(sign(STATE, "b", KEY), **change)
    assert caught.value.code == code


def test_a_state_that_is_signed_with_an_empty_cookie_is_never_valid():
    with pytest.raises(ConfigError):
        checked(sign(STATE, "", KEY), cookie="")


@pytest.mark.parametrize("sent", ["", "b", "*"])
def test_the_state_of_a_sign_in_that_a_program_starts_is_bound_to_the_person_only(sent):
    states = SignedStates(lambda: KEY, lambda _: True, now=lambda: 1000.0, random_text=lambda: "r")
    state, cookie = states.issue("mailchimp", "c1", "ada", in_browser=False)
    assert cookie == ""
    assert states.redeem(state, "mailchimp", "ada", sent) == "c1"
    with pytest.raises(ConfigError) as caught:
        states.redeem(state, "mailchimp", "eve", sent)
    assert caught.value.code == "signInForeign"


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (1000 + LIFE_SECONDS, None),
        (1001 + LIFE_SECONDS, "signInExpired"),
        (940, None),
        (939, "signInExpired"),
    ],
)
def test_a_state_expires_after_ten_minutes(now, code):
    text = sign(STATE, "b", KEY)
    if code is None:
        assert checked(text, now=now) == STATE
        return
    with pytest.raises(ConfigError) as caught:
        checked(text, now=now)
    assert caught.value.code == code


@given(st.text())
def test_no_arbitrary_text_is_a_valid_state(text):
    with pytest.raises(ConfigError):
        checked(text)


@given(st.integers(min_value=0), st.characters())
def test_a_modified_state_is_refused(at, other):
    text = sign(STATE, "b", KEY)
    at %= len(text)
    changed = text[:at] + other + text[at + 1 :]
    if changed != text:
        with pytest.raises(ConfigError):
            checked(changed)


def test_a_state_is_readable_and_contains_no_key():
    text = sign(STATE, "browser-value", KEY)
    assert "browser-value" not in text
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def test_a_state_is_redeemed_once():
    used: set[str] = set()

    def use_once(nonce: str) -> bool:
        new = nonce not in used
        used.add(nonce)
        return new

    numbers = itertools.count()
    clock = [1000.0]
    states = SignedStates(
        lambda: KEY, use_once, now=lambda: clock[0], random_text=lambda: f"r{next(numbers)}"
    )
    state, cookie = states.issue("mailchimp", "c1", "ada", in_browser=True)
    other, other_cookie = states.issue("mailchimp", "c2", "ada", in_browser=True)
    with pytest.raises(ConfigError):
        states.redeem(state, "mailchimp", "ada", other_cookie)
    assert states.redeem(state, "mailchimp", "ada", cookie) == "c1"
    with pytest.raises(ConfigError) as caught:
        states.redeem(state, "mailchimp", "ada", cookie)
    assert caught.value.code == "signInUsed"
    clock[0] += LIFE_SECONDS + 1
    with pytest.raises(ConfigError):
        states.redeem(other, "mailchimp", "ada", other_cookie)
