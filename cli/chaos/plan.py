"""What happens in a campaign, drawn from one seed: what clients ask for and how they behave."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cli.chaos.pictures import LARGE, MASK, SMALL

USERS = ("ada", "ben", "cyd")  # each with a key of their own
CAPPED = "cyd"  # spends no more than a cap that lets about half of what they ask through
PAID = (
    *("flux-schnell", "flux-1.1-pro", "recraft-v3", "seedream-4.5", "ideogram-v2"),
    *("gemini-nano-banana-2.1", "gpt-image-2.5-flare"),
)
FREE = ("sketch", "sketch-ink", "sketch-mosaic")
_BARREN = ("refuse-me", "fail-me", "no-output")  # words by which the lab's vendor ends badly
_WHAT = ("a lighthouse", "a harbour", "two foxes", "a tower", "an orchard", "a boat")
_WHEN = ("at dawn", "in fog", "by night", "in snow", "before the storm")
_WAYS = ("rest-stream", "rest-start", "grpc-stream", "grpc-start")
_SHOWN = (  # models, those that stand in for them, and input images with their roles
    (("flux-1.1-pro",), (), ((SMALL, "style"),)),
    (("flux-1.1-pro",), ("seedream-4.5",), ((LARGE, "structure"),)),
    (("seedream-4.5",), (), ((LARGE, "subject"), (SMALL, "style"))),
    (("seedream-4.5", "gpt-image-2.5-flare"), (), ((LARGE, "edit_base"),)),
    (("ideogram-v2",), ("gpt-image-2.5-flare",), ((SMALL, "edit_base"), (MASK, "mask"))),
    (("gemini-nano-banana-2.1",), (), ((SMALL, "edit_base"), (LARGE, "subject"))),
    (("gemini-nano-banana-2.1",), ("seedream-4.5",), ((SMALL, "style"),)),
    (("gpt-image-2.5-flare",), (), ((LARGE, "edit_base"), (MASK, "mask"))),
    (("gpt-image-2.5-flare",), ("gemini-nano-banana-2.1",), ((SMALL, "subject"),)),
)
_CANCELED = (*range(1, 7), *range(1, 7), *range(1, 17))  # events: of its beginning, or any of a log
_CAP = 0.03  # dollars for each of their jobs: about half of what it may cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """
    One job as its client goes about it.

    *leaves* are the events after which the stream is left, 0: at its first byte. *cancels* is
    the event at which the job is canceled. *again* says when the same request is sent once more.
    """

    number: int
    user: str
    request_id: str
    request: dict[str, Any]
    way: str
    leaves: frozenset[int]
    cancels: int | None
    again: frozenset[str]  # of "at once", "later"

    @property
    def over_grpc(self) -> bool:
        return self.way.startswith("grpc")

    @property
    def streams(self) -> bool:
        """Whether it is started by the call that also tells its events."""
        return self.way.endswith("stream")


def visits(seed: int, jobs: int, *, part: str = "") -> list[Visit]:
    """*jobs* visits; another *part* of a campaign has other request ids."""
    dice = random.Random(f"visits {part} {seed}")
    return [_visit(dice, number) for number in range(jobs)]


def cap(jobs: int) -> int:
    """The capped user's cap in micro-USD, in a campaign of *jobs*."""
    return round(jobs / len(USERS) * _CAP * 1_000_000)


def victims(seed: int) -> Iterator[float]:
    """For each kill a number from 0 to 1, by which its victim is chosen of those that live."""
    dice = random.Random(f"victims {seed}")
    while True:
        yield dice.random()


def _visit(dice: random.Random, number: int) -> Visit:
    over = dice.random()
    return Visit(
        number=number,
        user=dice.choice(USERS),
        request_id=str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        request=_request(dice),
        way=dice.choice(_WAYS),
        leaves=frozenset(dice.sample(range(8), dice.choice((0, 0, 1, 1, 2, 3)))),
        cancels=dice.choice(_CANCELED) if over < 0.14 else None,
        again=frozenset(dice.sample(("at once", "later"), dice.choice((0, 0, 0, 1, 2)))),
    )


def _request(dice: random.Random) -> dict[str, Any]:
    prompt = f"{dice.choice(_WHAT)} {dice.choice(_WHEN)}"
    if dice.random() < 0.04:
        prompt += f", {dice.choice(_BARREN)}"
    request: dict[str, Any] = {"prompt": prompt}
    kind = dice.random()
    if kind < 0.25:  # the free ones are really drawn, so that they stay small
        request |= {"models": [dice.choice(FREE)], "size": "64x64", "count": dice.randint(1, 2)}
    elif kind < 0.60:
        request |= {"models": [dice.choice(PAID)], "count": dice.choice((1, 1, 1, 2, 3, 4))}
    elif kind < 0.72:
        request |= {"models": dice.sample(PAID, 2), "count": dice.choice((1, 1, 2))}
    elif kind < 0.84:
        first, *others = dice.sample(PAID, 3)
        request |= {"models": [first], "fallback_models": others}
    else:
        request |= _shown(dice)
    if dice.random() < 0.3:
        request["seed"] = dice.getrandbits(31)
    if dice.random() < 0.1:
        request["max_cost_usd"] = 5.0
    return request


def _shown(dice: random.Random) -> dict[str, Any]:
    """Models that draw from input images; each way in brings those along as it can."""
    models, others, shown = dice.choice(_SHOWN)
    found: dict[str, Any] = {"models": list(models), "count": dice.choice((1, 1, 2))}
    found |= {"fallback_models": list(others)} if others else {}
    return found | {"references": [{"picture": each, "role": role} for each, role in shown]}
