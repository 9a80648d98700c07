"""
What Replicate tells of a prediction, in the words of the seam. Nothing here asks anybody.

What it tells is not trusted to have a shape: every key may be absent, null or something
else, and what cannot be read is Unclear.
"""

import json
import re
import unicodedata
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, TypeGuard
from urllib.parse import parse_qs, quote, urlsplit

from services.generator import provider as seam
from services.generator.providers import transport

Prediction: TypeAlias = Mapping[str, Any]
Event: TypeAlias = seam.Working | seam.Drawn | seam.Ended

_OF_A_URL = "%/:?#[]@!$&'()*+,;=~"  # and letters, digits, "-._": all else is escaped in one
_LONGEST = 2 << 20  # characters of one, which may be data: and hold the whole picture
_LINKS_LIVE = timedelta(hours=1)  # from the end; then input, output and files are removed
_PERCENT = re.compile(r"(\d{1,3})%\|")  # tqdm in the logs is the only progress there is
_SEED = re.compile(r"^\s*(?:using )?seed:\s*(\d{1,18})\b", re.IGNORECASE | re.MULTILINE)
_WORKING = ("starting", "processing")
SLACK = timedelta(minutes=5)  # between our clock and theirs, beside what is known of it


def is_working(found: Prediction) -> bool:
    """Whether it is still being drawn."""
    return found.get("status") in _WORKING


def is_unshown(found: Prediction) -> bool:
    """Whether it succeeded, and of its output nothing is shown, or is said to be removed."""
    done = found.get("status") == "succeeded"
    return done and not found.get("output") and not found.get("data_removed")


def event(found: Prediction, prices: Mapping[str, int]) -> Event:
    """Where it stands; *prices* are an image's in micro-USD, by model."""
    why, billed = str(found.get("error") or found.get("status")), _billed(found)
    cost = _cost(found, billed or None, prices)  # that it bills none is no proof
    match found.get("status"):
        case "starting" | "processing":
            return seam.Working(_fraction(found))
        case "succeeded" if found.get("data_removed") or not found.get("output"):
            return seam.Ended(charged=True, reason="succeeded, and its output is gone", cost=cost)
        case "succeeded":
            return _drawn(found, billed, prices)
        case "aborted":  # before it started
            return seam.Ended(charged=False, reason=why, stopped=True)
        case "canceled":  # later, and paid for
            return seam.Ended(charged=True, reason=why, cost=cost, stopped=True)
        case "failed":
            content = transport.is_of_content(why)
            return seam.Ended(
                charged=True if billed else None, reason=why, cost=cost, content=content
            )
    raise seam.Unclear(f"its status is none that is known here: {str(found.get('status'))[:80]}")


def belongs(found: Prediction, order: seam.Order, since: datetime) -> bool | None:
    """
    Whether it is what *order* bought, but not before *since*; None where nobody can tell.

    The purchase in its webhook's address decides. Without one it is another's by its time,
    model, seed or prompt alone: the provider may have changed other inputs or added some, and
    after an hour it shows none.
    """
    if named := _purchase(found):
        return named == order.purchase_id
    told, created = _part(found, "input"), time(found, "created_at")
    if found.get("source") == "web" or (created and created < since):
        return False
    if not order.as_planned:
        return None
    if _differs(found, order):
        return False
    if not found.get("model") or found.get("data_removed"):
        return None
    same = all(name in told and told[name] == value for name, value in order.inputs.items())
    return True if same else None


def since(order: seam.Order, ahead: timedelta = timedelta()) -> datetime:
    """
    What was created before is not *order*'s, where our clock is *ahead* of the provider's.

    A purchase's UUIDv7 begins with milliseconds.
    """
    planned = datetime.fromtimestamp((uuid.UUID(order.purchase_id).int >> 80) / 1000, UTC)
    return (order.sent or planned) - ahead - SLACK


def is_past(page: Sequence[Prediction], since: datetime) -> bool:
    """Whether *page* of a listing, newest first, and all that follow, are older than *since*."""
    ages = [time(each, "created_at") for each in page]
    return bool(ages) and all(age and age < since for age in ages)


def named(found: Prediction) -> str:
    """The purchase that its webhook's address names, as a UUID is written; empty for none."""
    try:
        return str(uuid.UUID(_purchase(found)))
    except ValueError:
        return ""


def is_sent_to(found: Prediction, hook: str) -> bool:
    """Whether its webhook goes to *hook*, whatever purchase it names there."""
    told = found.get("webhook")
    return isinstance(told, str) and told.partition("?")[0] == hook


def is_named(found: Prediction) -> bool:
    """Whether its webhook's address names the purchase that it is."""
    return bool(_purchase(found))


def reference(found: Prediction) -> str:
    """Its ticket's; Unclear where it has none."""
    told = found.get("id")
    if not told or not isinstance(told, str):
        raise seam.Unclear("a prediction without an id")
    return told


def inputs(found: Prediction) -> Mapping[str, Any]:
    """What it was given, as it tells it."""
    return _part(found, "input")


def time(found: Prediction, *names: str) -> datetime | None:
    """The first of its times *names* that it tells."""
    for name in names:
        try:
            moment = datetime.fromisoformat(found[name])
        except (KeyError, TypeError, ValueError):
            continue
        if moment.year < 9999:  # else what is added to it overflows
            return moment.replace(tzinfo=moment.tzinfo or UTC)
    return None


def _fraction(found: Prediction) -> float | None:
    percents = _PERCENT.findall(_logs(found))
    return min(int(percents[-1]), 100) / 100 if percents else None


def _drawn(found: Prediction, billed: int | None, prices: Mapping[str, int]) -> seam.Drawn:
    links = _links(found)
    version, seconds = found.get("version"), _part(found, "metrics").get("predict_time")
    return seam.Drawn(
        images=links,
        seconds=float(seconds) if _is_number(seconds) else None,
        cost=_cost(found, billed, prices),
        version=version if isinstance(version, str) and version != "hidden" else "",
        seed=_seed(found),
    )


def _links(found: Prediction) -> tuple[seam.Link, ...]:
    """The links of its output; what is none hides no other."""
    output = found["output"]
    told = output if isinstance(output, list) else [output]
    written = [url.strip() for url in told if isinstance(url, str)]
    urls = [quote(url, _OF_A_URL, errors="replace") for url in written if 0 < len(url) <= _LONGEST]
    if not urls:
        raise seam.Unclear(f"its output is no list of links: {json.dumps(output)[:500]}")
    end = time(found, "completed_at", "created_at")
    return tuple(seam.Link(url, end and end + _LINKS_LIVE) for url in urls)


def _billed(found: Prediction) -> int | None:
    """The images that it says to charge for."""
    count = _part(found, "metrics").get("image_count")
    return int(count) if _is_number(count) else None


def _cost(found: Prediction, billed: int | None, prices: Mapping[str, int]) -> int | None:
    """Micro-USD of the images *billed*; None where their number or their price is not known."""
    price = prices.get(str(found.get("model")))
    return None if price is None or billed is None else price * billed


def _seed(found: Prediction) -> int | None:
    if said := _SEED.search(_logs(found)):
        return int(said[1])
    seed = _part(found, "input").get("seed")
    fits = isinstance(seed, int) and not isinstance(seed, bool) and -(2**63) <= seed < 2**63
    return seed if fits else None


def _differs(found: Prediction, order: seam.Order) -> bool:
    """Whether it differs in what no provider rewrites: the model, the seed, the prompt's words."""
    model, told, inputs = found.get("model"), _part(found, "input"), order.inputs
    if isinstance(model, str) and model != order.slug:
        return True
    if found.get("data_removed"):
        return False
    seed, prompt = told.get("seed"), told.get("prompt")
    if "seed" in inputs and _is_seed(seed) and seed != inputs["seed"]:
        return True
    return isinstance(prompt, str) and _plain(prompt) != _plain(str(inputs["prompt"]))


def _is_seed(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _purchase(found: Prediction) -> str:
    """The purchase that its webhook's address names; empty for none."""
    try:
        named: Iterable[str] = parse_qs(urlsplit(found["webhook"]).query)["purchase_id"]
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""
    return next(iter(named))


def _logs(found: Prediction) -> str:
    logs = found.get("logs")
    return logs if isinstance(logs, str) else ""


def _part(found: Prediction, name: str) -> Mapping[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9
