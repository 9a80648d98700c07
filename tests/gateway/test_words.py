"""Words about pictures are paid for at each call: a lost answer says what asking again does."""

import pytest

from chassis.errors import Exhausted, Fault
from gateway import bodies
from gateway.routes import language
from imagestudio.generator.v1 import generator_service_pb2 as wire
from tests.gateway.scripted import CUT, Scripted

ASKED = wire.SuggestPromptsRequest(seed_text="the sea")
FULL = Exhausted("SPEND_CAP_EXCEEDED", "No more this month.", retry_after=9)


def first():
    found = wire.SuggestPromptsResponse()
    found.suggestion.SetInParent()
    return found


async def suggest(services):
    messages = services.generator.stream("SuggestPrompts", ASKED, timeout=60)
    async for _frame in language._frames(await language._next(messages), messages):
        pass


async def enhance(services):
    await language.enhance(services, bodies.Enhancement(prompt="the sea"))


@pytest.mark.parametrize(
    ("asking", "line"),
    [(suggest, [first(), CUT]), (suggest, [CUT]), (enhance, [CUT])],
    ids=["in the middle", "at the beginning", "one answer"],
)
async def test_a_generator_that_is_gone_may_have_paid(stage, asking, line):
    script = Scripted(line)
    with pytest.raises(Fault, match="asking again pays again") as lost:
        await asking(await stage.play(script))
    assert (lost.value.reason, lost.value.retry_after) == ("SERVICE_UNAVAILABLE", None)
    assert len(script.asked) == 1


@pytest.mark.parametrize("asking", [suggest, enhance])
async def test_a_refusal_is_told_in_its_own_words(stage, asking):
    with pytest.raises(Exhausted) as refused:
        await asking(await stage.play(Scripted([FULL])))
    assert (refused.value.message, refused.value.retry_after) == (FULL.message, 9)
