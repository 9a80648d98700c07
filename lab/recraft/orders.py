"""What may be ordered of Recraft: checked as its documentation says, with its prices."""

import math
from dataclasses import dataclass
from typing import Any

from lab.recraft.problems import Problem

SIZES = {
    f"{width}x{height}": (width, height)
    for width, height in (
        *((1024, 1024), (1365, 1024), (1024, 1365), (1536, 1024), (1024, 1536)),
        *((1820, 1024), (1024, 1820), (1024, 2048), (2048, 1024), (1434, 1024)),
        *((1024, 1434), (1024, 1280), (1280, 1024), (1024, 1707), (1707, 1024)),
    )
}
_MOST = 6  # pictures a call
_SEEDS = 2**63
_LONGEST = {"recraftv2": 1000, "recraftv2_vector": 1000, "recraftv3": 1000,
            "recraftv3_vector": 1000}  # fmt: skip
_LONG = 10_000  # characters of a prompt to any other
_FIELDS = frozenset(
    (
        *("prompt", "model", "n", "size", "style", "substyle", "style_id", "negative_prompt"),
        *("response_format", "image_format", "random_seed", "text_layout", "controls"),
        *("block_nsfw", "calculate_features", "expire"),
    )
)


@dataclass(frozen=True, slots=True)
class Model:
    """*credits* are for one picture, a thousand to the dollar; *seconds* its usual time."""

    credits: float
    vector: bool = False
    seconds: float = 8.8


# Prices from Recraft's documentation; how long it takes was measured for V3 at Replicate alone.
MODELS = {
    "recraftv2": Model(22),
    "recraftv2_vector": Model(44, vector=True),
    "recraftv3": Model(40),
    "recraftv3_vector": Model(80, vector=True),
    "recraftv4_1": Model(35),
    "recraftv4_1_pro": Model(210),
}
_USUAL = "recraftv4_1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request that is in order."""

    model: str
    prompt: str
    count: int
    width: int
    height: int
    format: str  # webp, png or svg
    inline: bool  # the pictures come in the answer
    seed: int | None
    negative_prompt: str

    @property
    def price(self) -> float:
        """What one picture costs, in dollars."""
        return MODELS[self.model].credits / 1000


def read(body: dict[str, Any]) -> Order:
    """Check *body*; raises Problem."""
    if unknown := sorted(body.keys() - _FIELDS):
        raise Problem(400, f"unknown field {unknown[0]}")
    model = _one_of(body, "model", _USUAL, MODELS)
    if body.get("style_id") and body.get("style"):
        raise Problem(400, "style and style_id exclude each other")
    count = body.get("n", 1)
    if type(count) is not int or not 1 <= count <= _MOST:
        raise Problem(400, f"n must be from 1 to {_MOST}")
    seed, negative = body.get("random_seed"), body.get("negative_prompt") or ""
    if seed is not None and (type(seed) is not int or not -_SEEDS <= seed < _SEEDS):
        raise Problem(400, "random_seed must be an integer")
    width, height = _size(body.get("size", "1024x1024"))
    kind = _one_of(body, "image_format", "webp", ("webp", "png"))
    return Order(
        model=model,
        prompt=_prompt(body.get("prompt"), model),
        count=count,
        width=width,
        height=height,
        format="svg" if MODELS[model].vector else kind,
        inline=_one_of(body, "response_format", "url", ("url", "b64_json")) == "b64_json",
        seed=seed,
        negative_prompt=str(negative),
    )


def _prompt(found: Any, model: str) -> str:
    longest = _LONGEST.get(model, _LONG)
    if not isinstance(found, str) or not 1 <= len(found) <= longest:
        raise Problem(400, f"prompt must be a text of 1 to {longest} characters")
    return found


def _one_of(body: dict[str, Any], name: str, usual: str, known: Any) -> str:
    found = body.get(name, usual)
    if not isinstance(found, str) or found not in known:
        raise Problem(400, f"{name} must be one of {', '.join(known)}")
    return found


def _size(found: Any) -> tuple[int, int]:
    """Read "WxH", or "w:h", which takes the size that is nearest to it."""
    if isinstance(found, str) and found in SIZES:
        return SIZES[found]
    try:
        across, down = map(int, str(found).split(":"))
        wanted = math.log(across / down)
    except (ValueError, ZeroDivisionError):
        raise Problem(400, f"size must be one of {', '.join(SIZES)}, or a ratio") from None
    return min(SIZES.values(), key=lambda size: abs(math.log(size[0] / size[1]) - wanted))
