"""The providers that the settings let us buy from: each adapter with its terms."""

import httpx

from chassis.settings import SettingsError, host_of, is_loopback
from services.generator import models
from services.generator.buy import FRESH
from services.generator.hints import Hints
from services.generator.models.tokens import Tokens
from services.generator.pictures import Pictures
from services.generator.provider import Provider
from services.generator.providers import (
    answered,
    google,
    openai,
    recraft,
    replicate_webhooks,
    transport,
)
from services.generator.providers.account import Account, mark
from services.generator.providers.google import Google
from services.generator.providers.openai import OpenAI
from services.generator.providers.recraft import Recraft
from services.generator.providers.replicate import BUY, Replicate
from services.generator.providers.replicate_files import Files
from services.generator.providers.sketch import Sketch
from services.generator.receipts import Receipts, seconds_for
from services.generator.settings import Settings
from services.generator.sketching.easel import Easel
from services.generator.standing import Terms
from services.generator.vendor import Vendor

_SPARE = 10.0  # seconds for what left last to be taken in
_LARGE = 32 << 20  # bytes: a picture of 16 million pixels, of 1.5 bytes each, in base64
# Seconds for an answer that came last to be kept. A sink goes on for longer (`receipts.py`), which
# helps while nobody else can look: each second more here, who was killed is told of later.
_KEEPING = seconds_for(_LARGE)


def sold_here(
    settings: Settings,
    easel: Easel,
    receipts: Receipts,
    pictures: Pictures,
    hints: Hints,
    outgoing: list[transport.Outgoing],
) -> dict[str, Vendor]:
    """
    All of them by name; what they ask over is added to *outgoing*, to be closed at the end.

    Raises SettingsError.
    """
    found = {"sketch": _sketch(settings, easel, receipts)}

    def client(base: str, **headers: str) -> httpx.AsyncClient:
        outgoing.append(http := transport.client(base, headers))
        return http

    if token := settings.replicate_api_token.reveal():
        lag = _replicates_lag(settings)
        http = client(settings.replicate_base_url, Authorization=f"Bearer {token}")
        outgoing.append(shop := _replicates_own(settings, http, hints, pictures))
        found["replicate"] = _replicate(settings, shop, lag)
    if token := settings.recraft_api_token.reveal():
        http = client(settings.recraft_base_url, Authorization=f"Bearer {token}")
        found["recraft"] = _recraft(settings, http, receipts)
    if key := settings.gemini_api_key.reveal():
        http = client(settings.gemini_base_url, **{"x-goog-api-key": key})
        found["google"] = _google(settings, http, receipts, pictures)
    if key := settings.openai_api_key.reveal():
        http = client(settings.openai_base_url, Authorization=f"Bearer {key}")
        found["openai"] = _openai(settings, http, receipts, pictures)
    return found


def _sketch(settings: Settings, easel: Easel, receipts: Receipts) -> Vendor:
    return Vendor(
        name="sketch",
        provider=Sketch(easel, receipts),
        terms=Terms(askable=True, lag=0.0, interruptible=True),
        time_limit=max(model.time_limit for model in _of("sketch", settings)),
    )


def _recraft(settings: Settings, http: httpx.AsyncClient, receipts: Receipts) -> Vendor:
    return _answering(
        "recraft",
        Recraft(http=http, receipts=receipts, patience=_order_time(settings, recraft.BUY)),
        time_limit=_answer_time(settings, settings.recraft_base_url, recraft.BUY),
        limits=(settings.recraft_in_flight, settings.recraft_per_minute),
    )


def _google(
    settings: Settings, http: httpx.AsyncClient, receipts: Receipts, pictures: Pictures
) -> Vendor:
    tokens, patience = _tokens(_of("google", settings)), _order_time(settings, google.BUY)
    return _answering(
        "google",
        Google(http=http, receipts=receipts, pictures=pictures, tokens=tokens, patience=patience),
        time_limit=_answer_time(settings, settings.gemini_base_url, google.BUY),
        limits=(settings.gemini_in_flight, settings.gemini_per_minute),
    )


def _openai(
    settings: Settings, http: httpx.AsyncClient, receipts: Receipts, pictures: Pictures
) -> Vendor:
    tokens, patience = _tokens(_of("openai", settings)), _order_time(settings, openai.BUY)
    return _answering(
        "openai",
        OpenAI(http=http, receipts=receipts, pictures=pictures, tokens=tokens, patience=patience),
        time_limit=_answer_time(settings, settings.openai_base_url, openai.BUY),
        limits=(settings.openai_in_flight, settings.openai_per_minute),
    )


def _answering(
    name: str, provider: Provider, *, time_limit: float, limits: tuple[int, int]
) -> Vendor:
    """One whose answer holds the pictures; *limits* are what is in flight, and in a minute."""
    most_in_flight, most_per_minute = limits
    return Vendor(
        name=name,
        provider=provider,
        terms=Terms(askable=True, conclusive=False),
        time_limit=time_limit,
        most_in_flight=most_in_flight,
        most_per_minute=most_per_minute,
        watched=True,
    )


def _replicates_own(
    settings: Settings, http: httpx.AsyncClient, hints: Hints, pictures: Pictures
) -> Replicate:
    sold = _of("replicate", settings)
    slots = {model.slug: model.references for model in sold}
    return Replicate(
        http=http,
        files=Files(http=http, pictures=pictures, slots=slots),
        hook=_replicates_hook(settings),
        usual={model.slug: model.typical for model in reversed(sold)},
        prices=_flat_prices(sold),
        pause=hints.wait,
        whose=Account(token=mark(settings.replicate_api_token.reveal())),
    )


def _replicate(settings: Settings, provider: Replicate, lag: float) -> Vendor:
    return Vendor(
        name="replicate",
        provider=provider,
        terms=Terms(askable=True, lag=lag, cancelable=True),
        time_limit=max(model.time_limit for model in _of("replicate", settings)),
        most_in_flight=settings.replicate_in_flight,
        most_per_minute=settings.replicate_per_minute,
        watched=True,
    )


def _tokens(sold: list[models.Model]) -> dict[str, Tokens]:
    return {model.slug: model.tokens for model in reversed(sold)}


def _flat_prices(sold: list[models.Model]) -> dict[str, int]:
    """What an image costs by the provider's word for its model, where it is always the same."""
    several = {each.slug for each in sold if each.prices}  # also where another entry has one
    return {each.slug: each.price for each in reversed(sold) if each.slug not in several}


def _replicates_lag(settings: Settings) -> float:
    """
    How long after a claim Replicate's list may lack what was bought; raises SettingsError.

    An order leaves within `FRESH` of its claim and is under way for `BUY`: one that was taken for
    absent before then might still arrive, beside the next. The lab is not paid.
    """
    least = FRESH + BUY + _SPARE
    if settings.lookup_lag < least and not _is_lab(settings, settings.replicate_base_url):
        why = "an order may be under way until then, and would be bought twice"
        raise SettingsError([f"LOOKUP_LAG is below {least:.0f} seconds: {why}. Raise it."])
    return settings.lookup_lag


def _order_time(settings: Settings, longest: float) -> float:
    """How long an order whose answer holds the pictures may be under way: *longest*, or less."""
    return min(settings.order_seconds or longest, longest)


def _answer_time(settings: Settings, base: str, longest: float) -> float:
    """
    How long after a claim the answer to its order may come, and be kept; raises SettingsError.

    Whoever sent it may live, unheard of: until then nobody else takes the answer for lost.
    *longest* is how long an order is under way.
    """
    least = FRESH + answered.PREPARING + longest + _KEEPING
    seconds = settings.answer_seconds or least
    if seconds < least and not _is_lab(settings, base):
        why = "an answer may come until then, and would be taken for lost"
        raise SettingsError([f"ANSWER_SECONDS is below {least:.0f}: {why}. Raise it."])
    return seconds


def _is_lab(settings: Settings, base: str) -> bool:
    lab = settings.lab_url
    return is_loopback(host_of(base)) or bool(lab and base.startswith(f"{lab}/"))


def _replicates_hook(settings: Settings) -> httpx.URL | None:
    """Where its webhooks come in: it takes https alone, and the lab what this machine has."""
    lab = is_loopback(host_of(settings.replicate_base_url))
    reachable = lab or settings.public_url.startswith("https:")
    if not (reachable and replicate_webhooks.can_be_checked()):
        return None
    return httpx.URL(f"{settings.public_url}/webhooks/replicate")


def _of(provider: str, settings: Settings) -> list[models.Model]:
    everyone = (*settings.models, *models.EVERY)
    return [model for model in everyone if model.provider == provider]
