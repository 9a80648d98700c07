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


def test_a_token_that_was_good_is_none_under_another_secret():
    token = identity.mint(SECRET, CALLER, now=1000)
    assert identity.verify(SECRET, token, now=1000) == CALLER
    with pytest.raises(Unauthenticated, match="not signed by us"):
        identity.verify(b"another secret!!", token, now=1000)


def test_callers_that_differ_in_anything_have_other_tokens():
    callers = [
        CALLER,
        identity.Caller(8, CALLER.scopes, "gateway"),
        identity.Caller(7, frozenset({"read", "write"}), "gateway"),
        identity.Caller(7, CALLER.scopes, "storage"),
    ]
    tokens = [identity.mint(SECRET, caller, now=1000) for caller in callers]
    assert [identity.verify(SECRET, token, now=1000) for token in tokens] == callers
    assert identity.mint(SECRET, CALLER, now=1001) not in tokens


class Desk:
    """Resolves when it is told to; *asked* is what it was asked so far."""

    def __init__(self):
        self.asked, self.open, self.fault = [], asyncio.Event(), None

    async def resolve(self, credential):
        self.asked.append(credential)
        await self.open.wait()
        if self.fault:
            raise self.fault
        return CALLER


async def test_who_comes_while_a_credential_is_asked_waits_for_the_same_answer():
    desk = Desk()
    remembered = identity.Remembered(desk.resolve, seconds=1000)
    waiting = [asyncio.create_task(remembered("isk_a")) for _ in range(20)]
    await asyncio.wait(waiting, timeout=0)
    waiting[0].cancel()  # who asked first takes the answer from nobody
    await asyncio.wait(waiting[:1])
    desk.open.set()
    assert await asyncio.gather(*waiting[1:]) == [CALLER] * 19
    assert desk.asked == ["isk_a"]


async def test_a_fault_is_told_to_all_who_wait_and_asked_again():
    desk = Desk()
    desk.fault = Unauthenticated("CREDENTIAL_INVALID", "unknown")
    remembered = identity.Remembered(desk.resolve, seconds=1000)
    waiting = [asyncio.create_task(remembered("isk_a")) for _ in range(2)]
    desk.open.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert found == [desk.fault] * 2
    desk.fault = None
    assert await remembered("isk_a") == CALLER
    assert desk.asked == ["isk_a"] * 2


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
