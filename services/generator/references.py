"""Which input images may be asked for: in themselves, and of a model. Nothing is fetched here."""

import re
from collections.abc import Iterator

from chassis.errors import Invalid
from imagestudio.type.v1 import image_pb2, job_pb2
from services.generator import words
from services.generator.models import Model
from services.generator.models.entry import is_asked
from services.generator.provider import Role

INLINE_MOST = 3 << 20  # bytes over all of a request
_MOST = 32
_ASSET = re.compile(r"assets/[0-9a-f]{64}")
_VARIANT = re.compile(r"jobs/(-|[1-9][0-9]{0,17})/variants/[1-9][0-9]{0,17}")
_BEYOND = re.compile(r"jobs/-/variants/(0|[1-9][0-9]{18,})")  # numbers that none has
_MEDIA_TYPES = ("", "image/png", "image/jpeg", "image/webp")


def role(given: image_pb2.ReferenceImage) -> Role:
    """What *given* is for."""
    named = image_pb2.ReferenceRole.Name(given.role).removeprefix("REFERENCE_ROLE_").lower()
    return Role.ANY if named == "unspecified" else Role(named)


def field(place: int, part: str = "") -> str:
    """How the input image at *place*, or a *part* of it, is named to whoever sent it."""
    return f"references[{place}]{part and '.'}{part}"


def check(asked: job_pb2.JobSpec) -> None:
    """Refuse what no model could take."""
    if len(asked.references) > _MOST:
        raise words.invalid("references", f"must be at most {_MOST}")
    for place, each in enumerate(asked.references):
        for part, what in _flaws(each):
            raise words.invalid(field(place, part), what)
    if sum(len(each.content) for each in asked.references) > INLINE_MOST:
        raise words.invalid(
            "references",
            f"hold more than {INLINE_MOST} bytes of content; upload them, and name the assets",
        )


def _flaws(given: image_pb2.ReferenceImage) -> Iterator[tuple[str, str]]:
    if given.role not in image_pb2.ReferenceRole.values():
        yield "role", "is none that there is"
    match given.WhichOneof("source"):
        case "asset" if not _ASSET.fullmatch(given.asset):
            yield "asset", 'must be "assets/" and a SHA-256 of 64 digits from 0 to f'
        case "uri" if not given.uri.startswith(("https://", "http://")):
            yield "uri", "must be an https URL"
        case "variant" if _BEYOND.fullmatch(given.variant):
            yield "variant", "is no variant of yours"
        case "variant" if not _VARIANT.fullmatch(given.variant):
            yield "variant", 'must be "jobs/-/variants/" and its number'
        case "content" if not given.content:
            yield "content", "is empty"
        case None:
            yield "", "must say where the picture is: asset, variant, uri or content"
    if given.media_type not in _MEDIA_TYPES:
        yield "media_type", f"must be one of {', '.join(_MEDIA_TYPES[1:])}, or empty"
    if given.HasField("weight") and not 0 <= given.weight <= 1:
        yield "weight", "must be from 0 to 1"


def check_fit(spec: job_pb2.JobSpec, model: Model) -> None:
    """Refuse what *model* does not take, and then a mask that lies on nothing."""
    number = len(spec.references)
    if number > model.max_references:
        shown, most = f"{number} images" if number > 1 else "an image", model.max_references or "no"
        raise lacks(model, "references", f"from {shown}; it takes {most} input images")
    if not model.references:
        return
    for named, what in _misfits(spec, model):
        raise lacks(model, named, what)
    roles = [role(each) for each in spec.references]
    if Role.MASK in roles and (roles.count(Role.EDIT_BASE), roles.count(Role.MASK)) != (1, 1):
        place = roles.index(Role.MASK)
        raise words.invalid(field(place), "is a mask: there must be one, and one edit_base")


def _misfits(spec: job_pb2.JobSpec, model: Model) -> Iterator[tuple[str, str]]:
    roles = [role(each) for each in spec.references]
    known = ", ".join(each or "unspecified" for each in model.roles)
    for place, each in enumerate(roles):  # all of them before anything that one needs
        if model.slot(each) is None:
            yield field(place, "role"), f"with a reference for {each or 'anything'}; it has {known}"
    for place, each in enumerate(roles):
        slot = model.slot(each)
        if slot is None:
            continue
        if spec.references[place].HasField("weight"):
            yield field(place, "weight"), "with a weight; leave it out"
        if sum(earlier in slot.roles for earlier in roles[: place + 1]) > slot.most:
            yield field(place), f"with more than {slot.most} references for {each or 'anything'}"
        if slot.needs is not None and slot.needs not in roles:
            yield field(place), f"with a reference for {each} and none for {slot.needs}"
        if slot.unless and is_asked(slot.unless, _parameters(spec, model)):
            so = " and ".join(f"{name} {value}" for name, value in slot.unless.items())
            yield field(place, "role"), f"with a reference for {each} and {so}"
        if slot.own_shape and spec.WhichOneof("shape"):
            shape = spec.WhichOneof("shape") or ""
            yield shape, f"in another shape than the {each}'s; leave {shape} out"


def _parameters(spec: job_pb2.JobSpec, model: Model) -> dict[str, object]:
    given = spec.parameters.get(model.key)
    return dict(given.items()) if given else {}


def lacks(model: Model, named: str, what: str) -> Invalid:
    """A refusal of what *model* does not do; *named* is the field that asks for it."""
    return Invalid(
        "MODEL_FEATURE_UNSUPPORTED",
        f"The model {model.key!r} does not draw {what}.",
        metadata={"model": model.key, "field": named},
        fields={named: f"does not fit {model.key}: {what}"},
    )
