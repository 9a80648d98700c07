"""
What people send: bodies and filters, checked before any service is asked.

What is wrong is told by field, an unknown field with what is allowed. Whether a model,
preset or parameter exists is for the services to say.
"""

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from chassis.errors import Invalid
from gateway.once import TWICE

LARGEST = 2**63 - 1
_DEEPEST = 32  # levels of lists and objects in a body
_MOST = 10_000  # keys and plain values in a body
_TOLD = 20  # unknown fields that an answer names
_UNFIT = re.compile("[\0\ud800-\udfff]")

_ASPECT = r"^[1-9][0-9]{0,3}:[1-9][0-9]{0,3}$"
_ASPECT_OR_NONE = r"^([1-9][0-9]{0,3}:[1-9][0-9]{0,3})?$"
_SIZE = r"^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$"
_HASH = r"^[0-9a-f]{64}$"
_PRESET = r"^[a-z][a-z0-9-]{0,62}$"
_TAG = r"^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,5})?$"
_JOB = r"^([0-9]{1,19})?$"
_VARIANT = r"^[0-9]{1,19}$"
FORMS = {  # what is said of each, since nobody should have to read an expression
    _ASPECT: "is written as 16:9",
    _ASPECT_OR_NONE: "is written as 16:9",
    _SIZE: "is written as 1024x768: width, x, height, each 1 to 99999 pixels",
    _HASH: "is an image's SHA-256: 64 digits from 0 to f, in lower case",
    _PRESET: "takes a letter, then up to 62 letters, digits and hyphens, all in lower case",
    _TAG: "is a BCP 47 tag such as de or pt-BR",
    _JOB: "takes a job's number",
    _VARIANT: "takes a variant's number",
}

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def _moment(found: Any) -> Any:
    """Refuse what pydantic would take for seconds since 1970, or for midnight somewhere."""
    if isinstance(found, str) and not _RFC_3339.fullmatch(found):
        raise ValueError("takes a time of RFC 3339 such as 2026-11-28T09:30:00Z")
    return found


Text = Annotated[str, StringConstraints(max_length=200)]
Label = Annotated[str, StringConstraints(max_length=100)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Prompt = Annotated[str, StringConstraints(min_length=1, max_length=32_000)]
Aspect = Annotated[str, StringConstraints(pattern=_ASPECT)]
PixelSize = Annotated[str, StringConstraints(pattern=_SIZE)]
Tag = Annotated[str, StringConstraints(pattern=_TAG)]
Models = Annotated[list[Key], Field(max_length=32)]
SomeModels = Annotated[list[Key], Field(max_length=64)]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
PageSize = Annotated[int, Field(ge=0, le=2**31 - 1, description="Most to return; 0 is 50.")]


Role = Literal["style", "subject", "structure", "edit_base", "mask"]
ROLES = get_args(Role)
State = Literal[
    "queued", "running", "canceling", "succeeded", "partially_succeeded", "failed", "canceled"
]


class Body(BaseModel):
    """One JSON object: no unknown field, no text that PostgreSQL cannot hold."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _clean(cls, data: Any) -> Any:
        if isinstance(data, dict):
            _refuse_unknown(cls, data)
            for number, (path, value) in enumerate(_walk("", data, 0)):
                if number == _MOST:
                    why = f"has more than {_MOST} names and values; send less at once"
                    raise Invalid("REQUEST_INVALID", f"The body {why}.", fields={"body": why})
                if why := _unfit(value):
                    named = path[:200]
                    raise Invalid("REQUEST_INVALID", f"{named}: {why}", fields={named: why})
        return data


class Filter(Body):
    """Query parameters: text that is read as what it should be."""

    model_config = ConfigDict(extra="forbid", strict=False)


class Reference(Body):
    """An input image: one of *id*, *variant* and *uri* says which."""

    id: Annotated[
        str | None,
        Field(pattern=_HASH, description="Its image_hash: uploaded here, or drawn for you."),
    ] = None
    variant: Annotated[
        str | None, Field(pattern=_VARIANT, description="The variant_id of one that was drawn.")
    ] = None
    uri: Annotated[
        str | None, Field(min_length=1, max_length=8192, description="An https URL.")
    ] = None
    role: Role | None = None
    weight: Annotated[float, Field(ge=0, le=1)] | None = None


class Spec(Body):
    """What to make. Left out, or null, is the preset's, then the default."""

    prompt: Prompt
    models: Models | None = None
    count: Annotated[int, Field(ge=1, le=32)] | None = None
    aspect: Aspect | None = None
    size: PixelSize | None = None
    seed: Annotated[int, Field(ge=-LARGEST - 1, le=LARGEST)] | None = None
    negative_prompt: Annotated[str, StringConstraints(max_length=32_000)] | None = None
    preset: Key | None = None
    smart_prompt: bool | None = None
    references: Annotated[list[Reference], Field(max_length=32)] | None = None
    parameters: Annotated[dict[str, dict[str, Any]], Field(max_length=64)] | None = None
    fallback_models: Models | None = None
    title: Text | None = None
    project: Label | None = None
    use_case: Label | None = None
    max_cost_usd: Annotated[float, Field(ge=0, le=1_000_000_000)] | None = None
    allow_successor: bool | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Spec":
        if not self.prompt.strip():
            why = "is empty; say what to draw"
            raise Invalid("REQUEST_INVALID", f"prompt {why}.", fields={"prompt": why})
        if self.aspect and self.size:
            why = "give aspect or size, not both"
            raise Invalid("REQUEST_INVALID", f"size: {why}", fields={"size": why})
        for field in ("models", "fallback_models"):
            named = getattr(self, field) or []
            if len(set(named)) < len(named):
                why = "name each model once; count makes several images of one"
                raise Invalid("REQUEST_INVALID", f"{field}: {why}", fields={field: why})
        for place, one in enumerate(self.references or ()):
            if [one.id, one.variant, one.uri].count(None) != 2:
                field, why = f"references[{place}]", "takes one of id, variant and uri"
                raise Invalid("REQUEST_INVALID", f"{field} {why}.", fields={field: why})
        return self


class Generation(Spec):
    """A job to start; request_id and the Idempotency-Key header are the same thing."""

    request_id: Annotated[UUID, Field(strict=False)] | None = None


class Suggestions(Body):
    """An idea to make prompts of."""

    seed_text: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    suggestion_count: Annotated[int, Field(ge=0, le=12, description="0 is 4.")] = 0
    model: Annotated[str, StringConstraints(max_length=100)] = ""
    language_code: Tag = ""


class Look(Body):
    """An image of the caller's that is already in the studio."""

    id: Annotated[str, StringConstraints(pattern=_HASH)]


class Analysis(Body):
    """Images to describe, and what to look for."""

    references: Annotated[list[Look], Field(min_length=1, max_length=4)]
    instruction: Annotated[str, StringConstraints(max_length=4000)] = ""
    language_code: Tag = ""


class Enhancement(Body):
    """A prompt to rewrite, and what for."""

    prompt: Prompt
    models: Models = []
    use_case: Text = ""
    language_code: Tag = ""


class Retry(Body):
    """
    Which purchases to order again, all where none is named; request_id and the
    Idempotency-Key header are the same thing. Without either, twice is once.
    """

    purchase_ids: Annotated[list[Annotated[UUID, Field(strict=False)]], Field(max_length=1000)] = []
    request_id: Annotated[UUID, Field(strict=False)] | None = None


class Settlement(Body):
    """Whether a purchase was charged, and what it cost: unset is what counts as spent."""

    purchase_id: Annotated[UUID, Field(strict=False)]
    charged: Literal["yes", "no", True, False]
    cost_usd: Annotated[float, Field(ge=0, le=1_000_000)] | None = None


class Cap(Body):
    """The most that a month may cost from now on; null: no cap."""

    cap_usd: Annotated[float, Field(ge=0, le=1_000_000)] | None


class VariantChange(Body):
    """What may be changed of a variant; a rating of null takes it away."""

    is_favorite: bool = False
    user_rating: Annotated[int, Field(ge=1, le=5)] | None = None


class PresetChange(Body):
    """Fields of a preset; what is left out stays as it is."""

    preset_key: Annotated[str, StringConstraints(pattern=_PRESET)] = ""
    name: Text = ""
    display_name: Annotated[Text, Field(description="The same as name.")] = ""
    model_key: Annotated[str, StringConstraints(max_length=100)] = ""
    parameters: dict[str, Any] = {}
    batch_count: Annotated[int, Field(ge=1, le=32)] | None = None
    smart_prompt_enabled: bool = False
    use_case: Text = ""
    prompt_template: Annotated[str, StringConstraints(max_length=32_000)] = ""
    negative_prompt: Annotated[str, StringConstraints(max_length=32_000)] = ""


class NewPreset(PresetChange):
    """A preset to write."""

    preset_key: Annotated[str, StringConstraints(pattern=_PRESET)]
    request_id: Annotated[UUID, Field(strict=False)] | None = None


class Page(Filter):
    """Which page of a list."""

    page_size: PageSize = 0
    page_token: Annotated[str, Field(max_length=2000, description="From the page before.")] = ""


class Narrowed(Page):
    """What jobs and variants are both narrowed by."""

    models: SomeModels = []
    project: Text = ""
    use_case: Text = ""
    preset: Text = ""
    created_from: Moment | None = None
    created_before: Moment | None = None
    q: Annotated[str, Field(max_length=1000, description="Words to find.")] = ""


class JobFilter(Narrowed):
    """Which jobs."""

    states: Annotated[list[State], Field(max_length=64)] = []
    at_risk: Annotated[
        bool, Field(description="With a purchase of which nobody knows whether it was charged.")
    ] = False


class VariantFilter(Narrowed):
    """Which variants."""

    job: Annotated[str, Field(pattern=_JOB, description="Of this job.")] = ""
    min_rating: Annotated[int, Field(ge=0, le=5)] = 0
    favorites_only: bool = False
    aspect: Annotated[str, Field(pattern=_ASPECT_OR_NONE)] = ""
    include_deleted: bool = False


class PresetFilter(Page):
    """Which presets."""

    use_case: Text = ""
    models: SomeModels = []


class ModelFilter(Filter):
    """Which models; *retired* brings those, too, that their providers have switched off."""

    retired: bool = False


class UsageFilter(Filter):
    """Which time, and what the lines stand for."""

    start: Moment | None = None
    end: Moment | None = None
    group_by: Literal["model", "project", "use_case", "day"] = "model"

    @model_validator(mode="after")
    def _forward(self) -> "UsageFilter":
        if self.start and self.end and self.end < self.start:
            why = "is before start"
            raise Invalid("REQUEST_INVALID", f"end {why}.", fields={"end": why})
        return self


def _refuse_unknown(kind: type[BaseModel], data: dict[str, Any]) -> None:
    allowed = sorted(kind.model_fields)
    if unknown := sorted(set(data) - set(allowed)):
        why = f"is not known here; there are {', '.join(allowed)}"
        shown = {name[:100].encode("utf-8", "replace").decode(): why for name in unknown[:_TOLD]}
        raise Invalid("REQUEST_INVALID", f"{', '.join(shown)} {why}", fields=shown)


def _walk(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield every key and every plain value, with where it stands."""
    if depth > _DEEPEST:
        why = f"goes deeper than {_DEEPEST} levels"
        raise Invalid("REQUEST_INVALID", f"{path[:100]}: {why}", fields={path[:100]: why})
    if isinstance(value, dict):
        for key, inner in value.items():
            yield path or "body", key
            yield from _walk(f"{path}.{key}".lstrip("."), inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(path, inner, depth + 1)
    else:
        yield path, value


def _unfit(value: Any) -> str:
    if isinstance(value, str):
        if found := _UNFIT.search(value):
            what = "a NUL character" if found[0] == "\0" else "a lone surrogate"
            return f"has {what}, which cannot be kept; take it out"
    elif value is TWICE:
        return "is given twice; which of the two counts is not for us to choose, send it once"
    elif isinstance(value, float) and not math.isfinite(value):
        return "is no finite number"
    elif isinstance(value, int) and abs(value) > LARGEST:
        return "is too large a number"
    return ""
