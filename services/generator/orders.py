"""From what a job asks for to the order that one purchase sends."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC
from functools import lru_cache
from typing import Any

from google.protobuf import json_format, struct_pb2
from google.protobuf.message import Message

from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.type.v1 import image_pb2, job_pb2
from services.generator import references, words
from services.generator.models import Model, Registry
from services.generator.models.entry import Size
from services.generator.provider import Order, Reference


def order(
    model: Model,
    spec: job_pb2.JobSpec,
    place: int,
    images: int,
    purchase_id: str,
    repeats: str = "",
) -> Order:
    """
    Say what to buy from *model* in one call: so many *images*, from the *place*-th on.

    Each call has a seed of its own: the job's and *place*, or one made of *purchase_id*; one
    that *repeats* another purchase's order has that one's.
    """
    inputs: dict[str, object] = {"prompt": spec.prompt, **_shape(model, spec)}
    if model.wire.count:
        inputs[model.wire.count] = images
    if model.seed:
        own = spec.seed + place if spec.HasField("seed") else None
        inputs["seed"] = _seed(repeats or purchase_id) if own is None else wrapped(own)
    if model.negative_prompt and spec.negative_prompt:
        inputs["negative_prompt"] = spec.negative_prompt
    given = parameters(spec, model.key)
    inputs |= {**model.wire.usual, **given, **model.wire.fixed}
    return Order(
        purchase_id=purchase_id,
        slug=model.slug,
        inputs=inputs,
        give_up_after=round(model.time_limit),
        references=tuple(map(_reference, spec.references)),
    )


def of_claim(claim: ledger_pb2.LedgerPurchase, registry: Registry) -> Order:
    """Say what the purchase of *claim* buys, or has bought; its model is known here."""
    shown, spec = claim.purchase, claim.spec
    model = registry.known(shown.model, shown.provider)
    place, images = place_of(shown.ordinal, spec), images_of(shown.ordinal, spec, registry)
    made = order(model, spec, place, images, shown.purchase_id, claim.repeats)
    sent = shown.send_time.ToDatetime(UTC) if shown.HasField("send_time") else None
    as_planned = fingerprint(made) == claim.fingerprint
    return replace(made, sent=sent, as_planned=as_planned, account=claim.account)


def size(model: Model, spec: job_pb2.JobSpec) -> Size:
    """Width and height in pixels that *spec* asks of *model*."""
    if spec.HasField("size"):
        return spec.size.width, spec.size.height
    return model.size(spec.aspect)


def price(model: Model, spec: job_pb2.JobSpec, images: int) -> int:
    """What a call of *model* for so many *images* of *spec* usually costs, in micro-USD."""
    beside = model.tokens.expected(spec.prompt, len(spec.references))
    return _own_price(model, spec, images) + beside


def most(model: Model, spec: job_pb2.JobSpec, images: int) -> int:
    """
    The most that a call costs that brings so many *images*, in micro-USD.

    Prompt and input images are read once.
    """
    beside = model.tokens.most(spec.prompt, len(spec.references), images)
    return _own_price(model, spec, images) + beside


def most_images(model: Model, spec: job_pb2.JobSpec, images: int) -> int:
    """How many come at most of a call of *model* for so many *images* of *spec*: all are paid."""
    return images * model.series_of(parameters(spec, model.key))


def _own_price(model: Model, spec: job_pb2.JobSpec, images: int) -> int:
    asked = parameters(spec, model.key)
    return images * model.price_of(size(model, spec), asked, alone=images == 1)


def _shape(model: Model, spec: job_pb2.JobSpec) -> dict[str, object]:
    if not spec.WhichOneof("shape"):
        for given in spec.references:
            slot = model.slot(references.role(given))
            if slot and slot.shape is not None:
                return dict(slot.shape)
    wire, (width, height) = model.wire, size(model, spec)
    aspect = model.aspect((width, height))
    if wire.size:
        return {wire.size: f"{width}x{height}"}
    tiered = not wire.tier or model.has_tier(parameters(spec, model.key))
    if wire.aspect and aspect and tiered:
        return {wire.aspect: aspect}
    return {"width": width, "height": height, **wire.custom}


def parameters(spec: job_pb2.JobSpec, key: str) -> dict[str, Any]:
    """The parameters that *spec* has for the model of *key*, 4.0 as the 4 that was said."""
    return {**_said(spec.parameters[key].SerializeToString())} if key in spec.parameters else {}


@lru_cache(maxsize=256)
def _said(written: bytes) -> dict[str, Any]:
    """Read a Struct, of which a job's plan and its orders ask many times; not to be changed."""
    found: dict[str, Any] = _whole(plainly(struct_pb2.Struct.FromString(written)))
    return found


def _whole(value: Any) -> Any:
    """A Struct has floats alone, and a provider that asks for an integer may refuse them."""
    match value:
        case dict():
            return {name: _whole(each) for name, each in value.items()}
        case list():
            return [_whole(each) for each in value]
        case float() if value.is_integer():
            return int(value)
    return value


def plainly(message: Message) -> dict[str, Any]:
    """Return *message* as JSON; Invalid where it holds a number that JSON has not."""
    try:
        return json_format.MessageToDict(message)
    except (ValueError, json_format.SerializeToJsonError) as error:
        raise words.invalid("parameters", "must hold numbers, not NaN or infinity") from error


def _reference(given: image_pb2.ReferenceImage) -> Reference:
    return Reference(
        asset=given.asset.removeprefix("assets/"),
        media_type=given.media_type,
        role=references.role(given),
        weight=given.weight if given.HasField("weight") else None,
    )


def fingerprint(found: Order) -> str:
    """Lower-case hex SHA-256 of what is sent, its chance seed too."""
    sent: list[object] = [found.slug, found.inputs]
    if found.references:  # without any it is what it was before there were references
        sent.append([asdict(each) for each in found.references])
    return hashed(sent)


def hashed(value: object) -> str:
    """Lower-case hex SHA-256 of *value* as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def place_of(ordinal: int, spec: job_pb2.JobSpec) -> int:
    """Which of its model's images is the first of the call *ordinal*: `count` for each model."""
    return ordinal % spec.count


def most_of(models: Iterable[Model], spec: job_pb2.JobSpec) -> int:
    """How many images a call brings that each of *models* may be asked for: the least's most."""
    return min((model.at_once(parameters(spec, model.key)) for model in models), default=1)


def images_of(ordinal: int, spec: job_pb2.JobSpec, registry: Registry) -> int:
    """How many images the job's call *ordinal* brings, whichever of its models draws them."""
    models = (registry.known(key) for key in keys_of(ordinal, spec) if key in registry)
    return min(most_of(models, spec), spec.count - place_of(ordinal, spec))


def keys_of(ordinal: int, spec: job_pb2.JobSpec) -> tuple[str, ...]:
    """The models that may draw the job's call *ordinal*: its own and the fallback models."""
    return (spec.models[ordinal // spec.count], *spec.fallback_models)


def _seed(purchase_id: str) -> int:
    return int.from_bytes(hashlib.sha256(purchase_id.encode()).digest()[:4], "big") >> 1


def wrapped(seed: int) -> int:
    """Bring *seed* into the range of an int64."""
    return (seed + 2**63) % 2**64 - 2**63
