"""Tokens between services: who signed, for whom, and for how long."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import identity
from chassis.errors import Denied, Unauthenticated

SECRET = b"0123456789abcdef"
CALLER = identity.Caller(user_id=7, scopes=frozenset({"read"}), service="gateway")


def test_a_token_names_its_caller_for_sixty_seconds():
    token = identity.mint(SECRET, CALLER, now=1000)
    assert identity.verify(SECRET, token, now=1059) == CALLER
    with pytest.raises(Unauthenticated, match="60 seconds") as refusal:
        identity.verify(SECRET, token, now=1061)
    assert refusal.value.reason == "CREDENTIAL_EXPIRED"


@given(st.data())
def test_a_token_with_any_character_changed_is_refused(data):
    token = identity.mint(SECRET, CALLER, now=1000)
    at = data.draw(st.integers(0, len(token) - 1))
    forged = token[:at] + data.draw(st.characters()) + token[at + 1 :]
    if forged != token:
        with pytest.raises(Unauthenticated):
            identity.verify(SECRET, forged, now=1000)


@pytest.mark.parametrize("token", ["", ".", "a.b", "é.é", "\ud800"])
def test_what_is_no_token_is_refused(token):
    with pytest.raises(Unauthenticated):
        identity.verify(SECRET, token, now=0)


def test_another_secret_signs_nothing():
    with pytest.raises(Unauthenticated):
        identity.verify(b"another secret!!", identity.mint(SECRET, CALLER, now=0), now=0)


def test_people_may_not_call_what_is_for_services():
    with pytest.raises(Denied) as refusal:
        identity.Caller(user_id=1).require_service("Admit")
    assert refusal.value.reason == "SERVICE_ONLY"


@pytest.mark.parametrize("header", ["isk_x", "Basic isk_x", "Bearer ", "Bearer"])
def test_a_header_that_is_no_bearer_is_refused(header):
    with pytest.raises(Unauthenticated, match="Authorization: Bearer"):
        identity.bearer(header)


async def test_a_credential_is_resolved_once_while_it_is_remembered():
    asked = []

    async def resolve(credential):
        asked.append(credential)
        return CALLER

    remembered = identity.Remembered(resolve, seconds=1000)
    for _ in range(3):
        assert await remembered("isk_a") == CALLER
    await asyncio.gather(remembered("isk_b"), remembered(None))
    assert sorted(asked, key=str) == [None, "isk_a", "isk_b"]

    forgetful = identity.Remembered(resolve, seconds=0)
    await forgetful("isk_a")
    await forgetful("isk_a")
    assert len(asked) == 5
