"""What a language model's failures are to whoever asked: each says whether it was paid."""

from chassis import errors
from chassis.errors import Fault
from services.generator import provider
from services.generator.language.prices import Entry

_AWAY = 5.0  # seconds until an answer may come again, where nobody says
_BY_KIND: tuple[tuple[type[provider.ProviderError], type[Fault], str, str], ...] = (
    (provider.NoCredit, errors.Precondition, "PROVIDER_BALANCE_EMPTY", "{why}"),
    (provider.NotKnown, errors.Precondition, "PROVIDER_CREDENTIAL_REFUSED", "{why}"),
    (provider.ContentRefused, errors.Precondition, "CONTENT_REFUSED", "{name} refuses it: {why}"),
    (provider.Refused, errors.Precondition, "PROVIDER_FAILED", "{name} refuses it: {why}"),
    (
        *(provider.Busy, errors.Exhausted, "PROVIDER_RATE_LIMITED"),
        "{name} takes no more calls just now; nothing was paid.",
    ),
    (
        *(provider.Unavailable, errors.Unavailable, "PROVIDER_UNAVAILABLE"),
        "{name} does not answer; nothing was paid. Ask again in a moment.",
    ),
)


def not_configured() -> Fault:
    """Say that there is no language model, and how one is set up."""
    return errors.Precondition(
        "LANGUAGE_NOT_CONFIGURED",
        "No language model is configured here: set OPENAI_API_KEY, ANTHROPIC_API_KEY or "
        "GEMINI_API_KEY.",
    )


def failed(error: provider.ProviderError, entry: Entry, held: int) -> Fault:
    """Tell what *error* of *entry* is, where *held* micro-USD were reserved."""
    for kind, fault, reason, words in _BY_KIND:
        if isinstance(error, kind):
            wait = error.retry_after
            if wait is None and isinstance(error, provider.Unavailable):
                wait = _AWAY
            message = words.format(name=entry.key, why=error)
            told = {"provider": entry.vendor}
            return fault(reason, message, metadata=told, retry_after=wait)
    return errors.DataLoss(
        "LANGUAGE_ANSWER_LOST",
        f"The answer of {entry.key} was lost ({error}). It may have been charged and counts "
        f"as ${held / 1e6:.6f}; asking again pays again.",
        metadata={"model": entry.key, "reserved_usd_micros": str(held)},
    )


def silent(entry: Entry) -> Fault:
    """Say that *entry* would not write it, and was paid."""
    return errors.Precondition(
        "CONTENT_REFUSED",
        f"{entry.key} does not answer to this, and was paid for saying so; say it otherwise.",
        metadata={"provider": entry.vendor},
    )


def unfit(entry: Entry, why: str, cost: int) -> Fault:
    """Say that it was paid *cost* micro-USD, and that what was written is not what was asked."""
    return errors.DataLoss(
        "LANGUAGE_ANSWER_UNFIT",
        f"{entry.key} answered with what makes no sense here ({why}); it cost ${cost / 1e6:.6f}. "
        "Ask again, or set LANGUAGE_MODEL to another one.",
        metadata={"model": entry.key, "cost_usd_micros": str(cost)},
    )
