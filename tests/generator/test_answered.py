"""What every vendor has in common whose answer holds the pictures."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from chassis.errors import DataLoss, Late, Unavailable
from services.generator import provider as seam
from services.generator.providers import answered
from tests import patient
from tests.generator.memory_receipts import MemoryReceipts
from tests.generator.scripted_wire import ID, Script


async def at_once() -> str:
    return "read"


async def test_what_an_order_needs_is_had_before_it_leaves_or_it_does_not_leave():
    assert await answered.ready(at_once()) == "read"
    with pytest.raises(seam.NotReady, match="in time"):
        await answered.ready(asyncio.Event().wait(), seconds=0)


async def test_who_slept_meanwhile_does_not_order():
    with pytest.raises(seam.NotReady, match="too late"):
        await answered.ready(at_once(), seconds=-1)


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"no " * 1000


@pytest.mark.parametrize("status", [400, 502])
async def test_of_an_error_without_end_the_beginning_is_enough(status):
    http = patient.AsyncClient(
        transport=Script(httpx.Response(status, content=endless())), base_url="https://v.test"
    )
    sink = MemoryReceipts().sink(ID)
    heard: list[httpx.Response] = []

    def refusal(said: httpx.Response) -> seam.ProviderError | None:
        heard.append(said)
        return seam.Refused("no") if said.status_code == 400 else None

    with pytest.raises(seam.Refused if status == 400 else seam.Unclear):
        await answered.buy(
            http, http.build_request("POST", "/"), sink, ID, patience=5, refusal=refusal
        )
    [said] = heard
    assert said.text.startswith("no no ")
    assert len(said.content) <= 1 << 16


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Unavailable("SERVICE_UNAVAILABLE", "away", retry_after=3), seam.Unread),
        (Late("DEADLINE_EXCEEDED", "slow"), seam.Unread),
        (DataLoss("HASH_MISMATCH", "cut off"), seam.Unclear),
    ],
    ids=["away", "slow", "spoilt"],
)
def test_what_storage_cannot_give_any_more_is_not_waited_for_for_ever(fault, kind):
    told = answered.unread(fault)
    assert (type(told), told.retry_after) == (kind, fault.retry_after)


class Drain:
    """A receipt that only counts."""

    def __init__(self) -> None:
        self.size, self.closed = 0, False

    async def write(self, chunk: bytes, /) -> None:
        self.size += len(chunk)

    async def close(self) -> None:
        self.closed = True


async def pieces(count: int, more: bytes) -> AsyncIterator[bytes]:
    piece = bytes(8 << 20)  # the same one each time, so that it costs no memory
    for _ in range(count):
        yield piece
    yield more


@pytest.mark.parametrize(("more", "bought"), [(b"", True), (b"+", False)])
async def test_an_answer_has_512_mib_at_most_and_a_larger_one_proves_nothing(more, bought):
    answer = httpx.Response(200, content=pieces(64, more))
    http, sink = patient.AsyncClient(transport=Script(answer), base_url="https://v.test"), Drain()
    request = http.build_request("POST", "/")
    buying = answered.buy(http, request, sink, ID, patience=60, refusal=lambda _said: None)
    if bought:
        assert (await buying).reference == f"receipt:{ID}"
    else:
        with pytest.raises(seam.Unclear, match="an answer of 536870913 bytes"):
            await buying
    assert (sink.size, sink.closed) == (512 << 20, bought)
