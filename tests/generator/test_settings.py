"""What the environment makes of the generator: who is bought from, and where webhooks go."""

import json

import pytest

from chassis.bus import Bus
from chassis.settings import SettingsError, read
from imagestudio.type.v1 import job_pb2
from services.generator import choices, orders, receipts
from services.generator.buy import FRESH
from services.generator.hints import Hints
from services.generator.models import KEYS
from services.generator.provider import (
    CanBeAsked,
    CanCancel,
    CanRecognize,
    Provider,
    SendsWebhooks,
)
from services.generator.providers import (
    answered,
    google,
    openai,
    predictions,
    recraft,
    replicate_webhooks,
    transport,
)
from services.generator.providers.account import mark
from services.generator.providers.replicate import BUY
from services.generator.settings import Settings
from services.generator.vendors import sold_here

TOKEN = "r8_a_token_of_the_tests"
PLAIN = {"SERVICE_SECRET": "a secret of the tests"}
PUBLIC = {"PUBLIC_URL": "https://studio.test", "AUTH": "keys"}
LAB = {"REPLICATE_BASE_URL": "http://127.0.0.1:7900/replicate"}


def settings(**environment) -> Settings:
    return read(Settings, PLAIN | environment)


async def vendor(name="replicate", **environment):
    chosen, outgoing = settings(**{KEYS[name]: TOKEN}, **environment), []
    hints = Hints(Bus(chosen.nats_url.reveal(), "nobody is there"))
    nobody = dict.fromkeys(("easel", "receipts", "pictures"))
    try:
        return sold_here(chosen, **nobody, hints=hints, outgoing=outgoing)[name]
    finally:
        for http in outgoing:
            await http.aclose()


def test_an_answer_may_not_take_longer_than_the_edge_waits_for_it():
    assert settings(LANGUAGE_SECONDS="50").language_seconds == 50
    with pytest.raises(SettingsError, match="LANGUAGE_SECONDS"):
        settings(LANGUAGE_SECONDS="51")


def test_without_a_token_nobody_but_sketch_is_there():
    registry = choices.registry(settings())
    assert {model.provider for model in registry if registry.ready(model)} == {"sketch"}
    assert registry.default == "sketch"


def test_a_token_lights_its_models_up_and_leaves_the_default_free():
    registry = choices.registry(settings(REPLICATE_API_TOKEN=TOKEN))
    assert registry.usable("flux-schnell").price == 3_000
    assert registry.default == "sketch"


def test_a_default_that_cannot_be_bought_ends_the_start():
    with pytest.raises(SettingsError, match="REPLICATE_API_TOKEN"):
        choices.registry(settings(DEFAULT_MODEL="flux-schnell"))
    with pytest.raises(SettingsError, match="There are sketch"):
        choices.registry(settings(DEFAULT_MODEL="nobody"))
    chosen = settings(DEFAULT_MODEL="flux-schnell", REPLICATE_API_TOKEN=TOKEN)
    assert choices.registry(chosen).default == "flux-schnell"


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, []),
        (
            {"DEFAULT_MODEL": "sketch-ink", "LANGUAGE_MODEL": "gpt-6-luna", "OPENAI_API_KEY": "k"},
            [],
        ),
        ({"LANGUAGE_MODEL": "gpt-6-luna"}, ["gpt-6-luna needs OPENAI_API_KEY"]),
        (
            {"LANGUAGE_MODEL": "gpt-6-luna", "ANTHROPIC_API_KEY": "k"},
            ["set it, or name one of claude-haiku-5-5"],
        ),
        (
            {"DEFAULT_MODEL": "nobody", "LANGUAGE_MODEL": "nobody"},
            ["DEFAULT_MODEL: There is no model 'nobody'", "LANGUAGE_MODEL: there is no 'nobody'"],
        ),
        ({"MODELS_DIR": "/none", "DEFAULT_MODEL": "nobody"}, ["MODELS_DIR is malformed"]),
    ],
)
def test_all_that_is_wrong_with_what_is_chosen_is_told_at_once(environment, told):
    found = choices.problems(PLAIN | environment)
    assert len(found) == len(told)
    assert all(words in line for words, line in zip(told, found, strict=True))


async def test_replicate_is_all_that_a_provider_may_be():
    made = await vendor(LOOKUP_LAG="77", REPLICATE_MAX_IN_FLIGHT="3")
    provider: Provider = made.provider
    assert isinstance(provider, CanBeAsked)
    assert isinstance(provider, CanCancel)
    assert isinstance(provider, SendsWebhooks)
    assert isinstance(provider, CanRecognize)
    assert (made.terms.askable, made.terms.lag, made.terms.cancelable) == (True, 77.0, True)
    assert (made.most_in_flight, made.most_per_minute, made.time_limit) == (3, 600, 600.0)


ROWS = {
    "display_name": "FLUX schnell", "slug": "black-forest-labs/flux-schnell", "price": 9_000,
    "prices": [{"price": 5_000, "asked": {"size": "512x512"}}], "shapes": {"1:1": [1024, 1024]},
    "sizes": [[512, 512]],
}  # fmt: skip


async def test_replicate_is_told_no_price_of_what_has_several(tmp_path):
    """It knows the model, not what was asked for: the table has the row. Ours is flat."""
    entry = tmp_path / "replicate" / "flux-schnell.json"
    entry.parent.mkdir()
    entry.write_text(json.dumps(ROWS))
    assert (await vendor()).provider.prices[ROWS["slug"]] == 3_000
    made = await vendor(MODELS_DIR=str(tmp_path))
    assert ROWS["slug"] not in made.provider.prices
    assert "black-forest-labs/flux-1.1-pro" in made.provider.prices
    done = {"status": "succeeded", "model": ROWS["slug"], "output": ["https://r/1"]}
    assert predictions.event(done, made.provider.prices).cost is None
    [model] = settings(MODELS_DIR=str(tmp_path)).models
    small = job_pb2.JobSpec(prompt="x", models=[model.key], size={"width": 512, "height": 512})
    assert (orders.price(model, small, 2), model.price) == (10_000, 9_000)


async def test_no_order_may_still_leave_when_its_absence_is_believed():
    """It may leave until `FRESH` after its claim, and then be under way for as long as BUY."""
    least = 60.0
    assert least > FRESH + BUY
    assert (await vendor(LOOKUP_LAG=str(least))).terms.lag == least
    elsewhere = {"LAB_URL": "http://127.0.0.1:7900"}  # there, and it is not bought from
    for given in ({}, elsewhere, {"REPLICATE_BASE_URL": "https://proxy.test"}):
        with pytest.raises(SettingsError, match=r"LOOKUP_LAG.*60"):
            await vendor(LOOKUP_LAG=str(least - 1), **given)
    away = {"LAB_URL": "http://lab:7900", "REPLICATE_BASE_URL": "http://lab:7900/replicate"}
    for lab in (LAB, away):
        assert (await vendor(LOOKUP_LAG="0", **lab)).terms.lag == 0
    assert settings(LOOKUP_LAG="0")  # nobody is bought from


@pytest.mark.parametrize(("name", "key"), [("recraft", "RECRAFT_BASE_URL"),
                                           ("openai", "OPENAI_BASE_URL")])  # fmt: skip
async def test_no_answer_may_still_come_when_it_is_taken_for_lost(name, key):
    longest = {"recraft": recraft.BUY, "openai": openai.BUY}[name]
    least = (await vendor(name)).time_limit
    keeping = receipts.seconds_for(24 * 1024 * 1024 * 4 // 3)  # 24 MiB in base64
    assert least >= FRESH + answered.PREPARING + longest + keeping
    assert (await vendor(name, ANSWER_SECONDS=str(least + 1))).time_limit == least + 1
    with pytest.raises(SettingsError, match="ANSWER_SECONDS is below"):
        await vendor(name, ANSWER_SECONDS=str(least - 1))
    lab = {key: "http://127.0.0.1:7900/there"}
    assert (await vendor(name, ANSWER_SECONDS="1", **lab)).time_limit == 1


@pytest.mark.parametrize(
    ("name", "longest"),
    [
        ("recraft", recraft.BUY),
        ("google", google.BUY),
        ("openai", openai.BUY),
    ],
)
async def test_an_order_is_given_up_after_less_where_that_is_asked_for_and_never_after_more(
    name, longest
):
    assert (await vendor(name)).provider.patience == longest
    assert (await vendor(name, ORDER_SECONDS="5")).provider.patience == 5
    assert (await vendor(name, ORDER_SECONDS=str(longest + 1))).provider.patience == longest


async def test_the_token_is_sent_and_never_shown():
    made = await vendor()
    assert made.provider.http.headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in f"{made!r} {settings(REPLICATE_API_TOKEN=TOKEN)!r}"
    assert made.provider.whose.token == mark(TOKEN)


async def test_google_s_key_is_sent_in_its_header_and_never_shown():
    made = await vendor("google")
    assert made.provider.http.headers["x-goog-api-key"] == TOKEN
    assert "authorization" not in made.provider.http.headers
    assert TOKEN not in f"{made!r} {made.provider.http.base_url} {settings(GEMINI_API_KEY=TOKEN)!r}"


@pytest.mark.parametrize("name", ["recraft", "google", "openai"])
async def test_whose_orders_hold_a_connection_until_they_are_drawn_has_a_bound(name):
    made = await vendor(name)
    assert 0 < made.most_in_flight < transport.CONNECTIONS


async def test_google_is_all_that_a_provider_may_be():
    made = await vendor("google", GEMINI_MAX_IN_FLIGHT="3", GEMINI_MAX_PER_MINUTE="7")
    assert (made.most_in_flight, made.most_per_minute) == (3, 7)
    assert made.terms.askable
    assert not made.terms.conclusive  # that there is no receipt proves nothing
    assert made.watched
    assert set(made.provider.tokens) >= {"gemini-nano-banana-2.1", "gemini-3-pro-image"}


@pytest.mark.parametrize(
    ("environment", "hook"),
    [
        ({}, None),  # people reach us on this machine alone, and so would Replicate
        (PUBLIC, "https://studio.test/webhooks/replicate"),
        (LAB, "http://127.0.0.1:8080/webhooks/replicate"),
    ],
)
async def test_a_webhook_is_asked_for_where_it_can_come_in(environment, hook):
    found = (await vendor(**environment)).provider.hook
    usable = replicate_webhooks.can_be_checked()
    assert str(found) == str(hook if usable else None)


def test_a_lab_elsewhere_may_be_reached_in_the_clear():
    lab = {"LAB_URL": "http://lab:7900", "REPLICATE_BASE_URL": "http://lab:7900/replicate"}
    assert settings(**lab).replicate_base_url == "http://lab:7900/replicate"
    with pytest.raises(SettingsError, match="REPLICATE_BASE_URL"):
        settings(**lab | {"REPLICATE_BASE_URL": "http://lab:79000/replicate"})
    with pytest.raises(SettingsError, match="REPLICATE_BASE_URL"):
        settings(**lab | {"REPLICATE_BASE_URL": "http://lab.elsewhere/replicate"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPLICATE_BASE_URL", "http://api.replicate.com"),  # the token in the clear
        ("REPLICATE_BASE_URL", "ftp://127.0.0.1"),
        ("REPLICATE_BASE_URL", "https://"),
        ("REPLICATE_BASE_URL", "https://r8_x@api.replicate.com"),
        ("REPLICATE_BASE_URL", "https://api.replicate.com/?a=b"),
        ("REPLICATE_BASE_URL", "https://api.replicate.com:x"),
        ("GEMINI_BASE_URL", "http://generativelanguage.googleapis.com"),  # so is its key
        ("GEMINI_API_KEY", "r8_a b"),
        ("REPLICATE_API_TOKEN", "r8_a b"),
        ("REPLICATE_API_TOKEN", "r8_a\nb"),
        ("REPLICATE_MAX_IN_FLIGHT", "-1"),
        ("REPLICATE_MAX_PER_MINUTE", "many"),
        ("LOOKUP_LAG", "-1"),
        ("LOOKUP_LAG", "nan"),
    ],
)
def test_a_malformed_setting_is_named_and_a_token_is_not_repeated(name, value):
    with pytest.raises(SettingsError) as failure:
        settings(**{name: value})
    assert name in str(failure.value)
    assert "r8_a" not in str(failure.value)
