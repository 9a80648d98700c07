"""Whether what is asked for fits the models that are asked: shapes, references, parameters."""

from collections.abc import Iterator
from itertools import islice

from chassis.errors import Invalid
from imagestudio.type.v1 import job_pb2
from services.generator import orders, references, schema, words
from services.generator.models import Model
from services.generator.references import lacks

_TOLD = 20  # of the parameters that do not fit, a refusal names so many


def check(spec: job_pb2.JobSpec, models: list[Model], spares: list[Model]) -> None:
    """Refuse what one of *models* or *spares* cannot draw."""
    everyone = {model.key: model for model in (*models, *spares)}
    for key in spec.parameters:
        if key not in everyone:
            raise words.invalid(f"parameters.{key[:80]}", "is for a model that is not asked")
    for model in everyone.values():
        _prompt(spec, model)
        _shape(spec, model)
        _seeds(spec, model)
        references.check_fit(spec, model)
        _parameters(spec, model)


def has_shape(spec: job_pb2.JobSpec, model: Model) -> bool:
    """Tell whether *model* can draw in the aspect or size of *spec*."""
    try:
        _shape(spec, model)
    except Invalid:
        return False
    return True


def _prompt(spec: job_pb2.JobSpec, model: Model) -> None:
    has, most = len(spec.prompt), model.longest_prompt
    if has > most:
        raise lacks(model, "prompt", f"from a prompt of {has} characters; it takes {most}")


def _shape(spec: job_pb2.JobSpec, model: Model) -> None:
    if spec.HasField("aspect") and spec.aspect not in model.shapes:
        shapes = ", ".join(model.shapes)
        raise lacks(model, "aspect", f"in the aspect {spec.aspect[:20]!r}; it has {shapes}")
    if not spec.HasField("size"):
        return
    parameters = orders.parameters(spec, model.key)
    if model.has_tier(parameters):
        tier = parameters[model.wire.tier]
        raise lacks(model, "size", f"in pixels and in {tier}; leave out one, or give an aspect")
    width, height = spec.size.width, spec.size.height
    if (width, height) in (*model.shapes.values(), *model.sizes):
        return
    if not _is_drawn(width, height, model):
        raise lacks(model, "size", f"in the size {width}x{height}; it has {_sizes(model)}")


def _is_drawn(width: int, height: int, model: Model) -> bool:
    if not all(_is_side(pixels, model) for pixels in (width, height)):
        return False
    if model.most_pixels and width * height > model.most_pixels:
        return False
    longest = model.longest_ratio
    return not longest or max(width, height) <= longest * min(width, height)


def _is_side(pixels: int, model: Model) -> bool:
    least, most = model.sides or (0, -1)
    return least <= pixels <= most and pixels % model.step == 0


def _sizes(model: Model) -> str:
    if model.sides:
        steps = f" in multiples of {model.step}" if model.step > 1 else ""
        most = f", {model.most_pixels} pixels at most" if model.most_pixels else ""
        most += f", to {model.longest_ratio:g}:1" if model.longest_ratio else ""
        return f"sides from {model.sides[0]} to {model.sides[1]} pixels{steps}{most}"
    sizes = (*model.shapes.values(), *model.sizes)
    return ", ".join(f"{width}x{height}" for width, height in sizes)


def _seeds(spec: job_pb2.JobSpec, model: Model) -> None:
    """Refuse a seed that the vendor would, for the first image or for the last one."""
    if not model.seed or not spec.HasField("seed"):
        return
    (least, most), last = model.seeds, orders.wrapped(spec.seed + spec.count - 1)
    if not all(least <= seed <= most for seed in (spec.seed, last)):
        each = f" and one more for each of {spec.count} images" if spec.count > 1 else ""
        seed = f"with the seed {spec.seed}{each}"
        raise lacks(model, "seed", f"{seed}; it takes from {least} to {most}")


def _parameters(spec: job_pb2.JobSpec, model: Model) -> None:
    wrong = dict(islice(_misfits(spec, model), _TOLD))
    if wrong:
        field, what = next(iter(wrong.items()))
        raise Invalid(
            "PARAMETER_INVALID",
            f"{field} {what}.",
            metadata={"model": model.key, "field": field},
            fields=wrong,
        )


def _misfits(spec: job_pb2.JobSpec, model: Model) -> Iterator[tuple[str, str]]:
    given, path = orders.parameters(spec, model.key), f"parameters.{model.key}"
    # A vendor gets pixels that were checked and nothing besides: no URL goes by another way.
    pictures = given.keys() & {slot.input for slot in model.references}
    for name in sorted(pictures):
        yield f"{path}.{name}", "is an input image: give it in references"
    rest = {name: value for name, value in given.items() if name not in pictures}
    yield from schema.problems(model.parameters, rest, path)
