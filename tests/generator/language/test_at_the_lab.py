"""Every company's model over the transport that is shipped, at the lab."""

import json

import pytest

from services.generator import provider
from services.generator.language import prices
from services.generator.language.seam import Question, Stop
from tests.generator.language.vendors import KINDS, PICTURE, answered, at
from tests.lab.process import running_lab

BETTER = Question(instructions='as {"prompt": ""}', text='{"prompt": "the sea"}', most=900)


@pytest.fixture(scope="module")
def lab_process():
    with running_lab() as found:
        yield found


@pytest.fixture
def lab(lab_process):
    lab_process.reset()
    return lab_process


@pytest.fixture(params=sorted(KINDS))
def vendor(request):
    return request.param


async def ask(lab, vendor, question=BETTER, **more):
    model = at(vendor, lab.url, **more)
    try:
        return await answered(model.ask(KINDS[vendor][1], question))
    finally:
        await model.door.http.aclose()


async def test_what_it_uses_is_what_it_charges(lab, vendor):
    text, told = await ask(lab, vendor)
    assert json.loads(text) == {"prompt": "the sea, in golden light, finely drawn"}
    assert told.stop is Stop.WHOLE
    [entry] = [each for each in prices.EVERY if each.key == KINDS[vendor][1]]
    [charge] = lab.ledger()
    assert entry.cost(told.usage) == pytest.approx(charge["usd"] * 1e6, abs=1)
    assert entry.cost(told.usage) <= entry.most(BETTER)


async def test_pictures_are_read(lab, vendor):
    question = Question(
        instructions="with suggested_prompt", text="{}", pictures=(PICTURE,), most=900
    )
    text, _ = await ask(lab, vendor, question)
    assert json.loads(text)["styles"] == ["painterly", "calm"]


@pytest.mark.parametrize(
    ("kind", "error", "charges"),
    [
        ("drop_before", provider.Unclear, 0),
        ("drop_after", provider.Unclear, 1),
        ("truncate", provider.Unclear, 1),
        ("html", provider.Unclear, 1),
        ("html:502", provider.Unclear, 1),
        ("status:503", provider.Unavailable, 0),
        ("status:500", provider.Unclear, 0),
        ("status:429", provider.Busy, 0),
    ],
)
async def test_a_bad_day_is_told_and_no_call_is_made_again(lab, vendor, kind, error, charges):
    lab.faults([{"vendor": vendor, "where": "chat", "kind": kind}])
    with pytest.raises(provider.ProviderError) as failure:
        await ask(lab, vendor)
    assert type(failure.value) is error
    assert lab.requests()[vendor]["chat"] == 1
    assert len(lab.ledger()) == charges


@pytest.mark.parametrize(
    ("key", "error"), [("wrong", provider.NotKnown), ("poor", provider.NoCredit)]
)
async def test_a_bad_key_is_told_as_such(lab, vendor, key, error):
    with pytest.raises(error):
        await ask(lab, vendor, key=key)
    assert lab.ledger() == []


async def test_nobody_there_is_proven_not_paid(vendor):
    with running_lab() as gone:
        url = gone.url
    model = at(vendor, url)
    with pytest.raises(provider.Unavailable):
        await answered(model.ask(KINDS[vendor][1], BETTER))
    await model.door.http.aclose()


@pytest.mark.parametrize(
    ("word", "stop"), [("refuse-me", Stop.REFUSED), ("long-me", Stop.TOO_LONG)]
)
async def test_it_stops_where_it_must(lab, vendor, word, stop):
    question = Question(instructions=BETTER.instructions, text=word, most=900)
    assert (await ask(lab, vendor, question))[1].stop is stop
