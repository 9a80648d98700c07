"""
From a request to a plan: the complete spec, what shall be bought, what is left out, what
it may cost. No I/O; what cannot be planned is refused with a `Fault` that says why.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from chassis.errors import Precondition
from imagestudio.catalog.v1 import ledger_pb2, preset_pb2
from imagestudio.type.v1 import cost_pb2, job_event_pb2, job_pb2
from services.generator import (
    fitting,
    identifiers,
    orders,
    references,
    schema,
    succession,
    words,
)
from services.generator.models import Model, Registry

Warn = job_event_pb2.JobEvent.Warning
Enhanced = job_event_pb2.JobEvent.PromptEnhanced
# The most in micro-USD that it costs to rewrite a prompt, for these models and this use case.
Wish = Callable[[str, Sequence[str], str], int]
_NO_LANGUAGE = (
    "cannot be used: no language model is configured here; leave it out or set it to false"
)
_SHAPE = ("aspect", "size")  # among a preset's parameters: the job's shape, not the model's


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What is admitted; *fingerprint* is that of the request as it came."""

    spec: job_pb2.JobSpec
    original_prompt: str
    purchases: list[ledger_pb2.PlannedPurchase]
    warnings: list[Warn]
    estimate: job_pb2.JobEstimate
    fingerprint: str
    preset_used: str
    retry_of: str = ""
    enhanced: Enhanced | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Smart:
    """
    What became of the wish for a better prompt.

    *cost* is in micro-USD; *told* is the better prompt, and where there is none *reason* and
    *why* say so.
    """

    cost: int
    told: Enhanced | None = None
    reason: str = ""
    why: str = ""


def plan(
    asked: job_pb2.JobSpec,
    preset: preset_pb2.Preset | None,
    registry: Registry,
    smart: Smart | Wish | None = None,
) -> Plan:
    """
    Plan *asked*, with what it leaves out from *preset*, then from the defaults.

    *smart* says what a better prompt may cost, or what became of it; None where none is wanted,
    or nobody is there to write it.
    """
    check(asked)
    if asked.smart_prompt and smart is None:
        raise words.invalid("smart_prompt", _NO_LANGUAGE)
    written = smart if isinstance(smart, Smart) else None
    spec, replaced = _complete(asked, preset, registry, written)
    models = [registry.usable(key) for key in spec.models]
    spares = [registry.usable(key) for key in spec.fallback_models]
    fitting.check(spec, models, spares)
    estimate = _estimate(spec, models, spares)
    if smart is not None:
        estimate.smart_prompt.CopyFrom(estimated(_smart_cost(smart, asked.prompt, spec)))
    within_limit(spec, estimate)
    return Plan(
        spec=spec,
        original_prompt=asked.prompt,
        purchases=list(_purchases(spec, models, spares, registry)),
        warnings=[
            *replaced,
            *_not_rewritten(asked, preset, smart),
            *_not_shaped(spec, preset),
            *_not_known(preset, models),
            *left_out(spec, models),
        ],
        estimate=estimate,
        fingerprint=request_fingerprint(asked),
        preset_used=preset.preset_key if preset else "",
        enhanced=written.told if written else None,
    )


def check(asked: job_pb2.JobSpec) -> None:
    """Refuse what is wrong in itself, whatever models and presets there are."""
    words.check(asked)
    references.check(asked)


def request_fingerprint(asked: job_pb2.JobSpec) -> str:
    """Lower-case hex SHA-256 of a request in canonical form."""
    return orders.hashed(orders.plainly(asked))


def planned(
    model: Model,
    spec: job_pb2.JobSpec,
    ordinal: int,
    images: int,
    reserved: int,
    repeats: str = "",
) -> ledger_pb2.PlannedPurchase:
    """One call of *model* for *images*, under a new id; *reserved* is in micro-USD."""
    purchase_id, place = identifiers.uuid7(), orders.place_of(ordinal, spec)
    order = orders.order(model, spec, place, images, purchase_id, repeats)
    return ledger_pb2.PlannedPurchase(
        purchase_id=purchase_id,
        provider=model.provider,
        model_key=model.key,
        ordinal=ordinal,
        fingerprint=orders.fingerprint(order),
        reserved_usd_micros=reserved,
        repeats=repeats,
    )


def wants_better(asked: job_pb2.JobSpec, preset: preset_pb2.Preset | None) -> bool:
    """Whether a language model shall first rewrite the prompt: as *asked* says, else *preset*."""
    if asked.HasField("smart_prompt"):
        return asked.smart_prompt
    return bool(preset and preset.smart_prompt_enabled)


def _complete(
    asked: job_pb2.JobSpec,
    preset: preset_pb2.Preset | None,
    registry: Registry,
    smart: Smart | None,
) -> tuple[job_pb2.JobSpec, list[Warn]]:
    """What *asked* leaves out filled in, and what was put in place of something else."""
    spec = job_pb2.JobSpec()
    spec.CopyFrom(asked)
    spec.title = asked.title or words.title(asked.prompt)
    spec.smart_prompt = bool(smart and smart.told)
    if smart and smart.told:
        spec.prompt = smart.told.prompt
    if preset:
        _fill_in(spec, preset)
    if not spec.models:
        spec.models.append(registry.default)
    if not spec.HasField("count"):
        spec.count = 1
    _known(asked, spec, registry)
    replaced = succession.settle(spec, registry)
    if preset:
        _preset_parameters(spec, preset, registry)
        _shape(spec, preset, registry)
    return spec, replaced


def _known(asked: job_pb2.JobSpec, spec: job_pb2.JobSpec, registry: Registry) -> None:
    """Refuse a model that there is not, by the field that brought it."""
    for place, key in enumerate(spec.models):
        registry.known(key, field=f"models[{place}]" if asked.models else "preset")
    for place, key in enumerate(spec.fallback_models):
        registry.known(key, field=f"fallback_models[{place}]")
        if key in spec.models:  # the preset's or the default, where nobody named it
            raise words.invalid(f"fallback_models[{place}]", f"is {key!r}, which draws anyway")


def _fill_in(spec: job_pb2.JobSpec, preset: preset_pb2.Preset) -> None:
    if not spec.models and preset.model_key:
        spec.models.append(preset.model_key)
    if not spec.HasField("count") and preset.batch_count:
        spec.count = preset.batch_count
    spec.prompt = words.templated(preset.prompt_template, spec.prompt)
    spec.negative_prompt = spec.negative_prompt or preset.negative_prompt
    spec.use_case = spec.use_case or preset.use_case


def _preset_parameters(
    spec: job_pb2.JobSpec, preset: preset_pb2.Preset, registry: Registry
) -> None:
    """Give the preset's parameters to its model, or without one to all that know them."""
    for key in spec.models:
        its = registry.usable(key).parameters
        known, asked = its.get("properties", {}), set(spec.parameters[key].fields)
        given = asked | schema.rivals(its, asked)
        own = preset.model_key == key
        for name, value in preset.parameters.fields.items():
            wanted = own or (not preset.model_key and name in known)
            if name in _SHAPE or not wanted or name in given:
                continue
            spec.parameters[key].fields[name].CopyFrom(value)
        if not spec.parameters[key].fields:
            del spec.parameters[key]  # looking made the entry


def _shape(spec: job_pb2.JobSpec, preset: preset_pb2.Preset, registry: Registry) -> None:
    """Take the preset's shape where none is asked for and every model has it."""
    wish = _wished_shape(preset)
    models = [registry.usable(key) for key in (*spec.models, *spec.fallback_models)]
    if not spec.WhichOneof("shape") and all(fitting.has_shape(wish, model) for model in models):
        spec.MergeFrom(wish)


def _wished_shape(preset: preset_pb2.Preset) -> job_pb2.JobSpec:
    fields, wish = preset.parameters.fields, job_pb2.JobSpec()
    if "aspect" in fields:
        wish.aspect = fields["aspect"].string_value
    elif "size" in fields:
        width, _, height = fields["size"].string_value.partition("x")
        wish.size.width, wish.size.height = int(width), int(height)
    return wish


def _purchases(
    spec: job_pb2.JobSpec, models: list[Model], spares: list[Model], registry: Registry
) -> Iterator[ledger_pb2.PlannedPurchase]:
    for number, model in enumerate(models):
        for place in range(0, spec.count, orders.most_of((model, *spares), spec)):
            ordinal = number * spec.count + place
            images = orders.images_of(ordinal, spec, registry)
            yield planned(model, spec, ordinal, images, dearest(spec, model, spares, images))


def dearest(spec: job_pb2.JobSpec, model: Model, spares: list[Model], images: int) -> int:
    """The most that a call for so many *images* costs, by *model* or a spare, in micro-USD."""
    everyone = (model, *spares)
    return max(orders.most(each, spec, orders.most_images(each, spec, images)) for each in everyone)


def expected(spec: job_pb2.JobSpec, model: Model, images: int) -> int:
    """What it usually costs; of a series that may come nobody knows how long it is: of all."""
    return orders.price(model, spec, orders.most_images(model, spec, images))


def _estimate(
    spec: job_pb2.JobSpec, models: list[Model], spares: list[Model]
) -> job_pb2.JobEstimate:
    lines, reserved = [], 0
    for model in models:
        most = orders.most_of((model, *spares), spec)
        calls = [min(most, spec.count - place) for place in range(0, spec.count, most)]
        reserved += sum(dearest(spec, model, spares, images) for images in calls)
        line = job_pb2.ModelEstimate(
            model=model.key,
            image_count=spec.count,
            purchase_count=len(calls),
            cost=estimated(sum(expected(spec, model, images) for images in calls)),
        )
        lines.append(line)
    return job_pb2.JobEstimate(
        reserved=estimated(reserved),
        expected=estimated(sum(line.cost.usd_micros for line in lines)),
        models=lines,
    )


def _smart_cost(smart: Smart | Wish, prompt: str, spec: job_pb2.JobSpec) -> int:
    """What the better prompt has cost, or the most that it may, in micro-USD."""
    if isinstance(smart, Smart):
        return smart.cost
    return smart(prompt, spec.models, spec.use_case)


def estimated(micros: int) -> cost_pb2.Cost:
    """Tell *micros* as a Cost that the price table gives."""
    return cost_pb2.Cost(usd_micros=micros, basis=cost_pb2.COST_BASIS_ESTIMATED)


def within_limit(spec: job_pb2.JobSpec, estimate: job_pb2.JobEstimate) -> None:
    """Refuse what may cost more than *spec* allows."""
    most = spec.max_cost_usd_micros
    needed = estimate.reserved.usd_micros + estimate.smart_prompt.usd_micros
    if spec.HasField("max_cost_usd_micros") and needed > most:
        raise Precondition(
            "COST_LIMIT_EXCEEDED",
            f"It may cost {needed / 1e6:.6f} USD and the request allows {most / 1e6:.6f}; allow "
            "more, ask for fewer images, or choose cheaper models.",
            metadata={"estimate_usd_micros": str(needed)},
        )


def _not_rewritten(
    asked: job_pb2.JobSpec, preset: preset_pb2.Preset | None, smart: Smart | Wish | None
) -> Iterator[Warn]:
    if isinstance(smart, Smart) and smart.why:
        yield Warn(reason=smart.reason, message=f"The prompt is used as it is. {smart.why}")
    if preset and wants_better(asked, preset) and smart is None:
        yield Warn(
            reason="MODEL_FEATURE_UNSUPPORTED",
            message=f"The preset {preset.preset_key!r} asks for a rewritten prompt, and no "
            "language model is configured here: the prompt is used as it is.",
        )


def _not_shaped(spec: job_pb2.JobSpec, preset: preset_pb2.Preset | None) -> Iterator[Warn]:
    if preset and _wished_shape(preset).WhichOneof("shape") and not spec.WhichOneof("shape"):
        yield Warn(
            reason="MODEL_FEATURE_UNSUPPORTED",
            message=f"The preset {preset.preset_key!r} asks for a shape that not every model of "
            "this job has: each draws in its own.",
        )


def _not_known(preset: preset_pb2.Preset | None, models: list[Model]) -> Iterator[Warn]:
    if preset is None or preset.model_key:
        return
    for model in models:
        known = (*_SHAPE, *model.parameters.get("properties", {}))
        for name in preset.parameters.fields:
            if name not in known:
                yield _without(model, f"parameter {name[:80]!r}; the preset's is left out")


def left_out(spec: job_pb2.JobSpec, models: Sequence[Model]) -> Iterator[Warn]:
    """Tell what of *spec* some of *models* are bought without."""
    for model in models:
        if spec.HasField("seed") and not model.seed:
            yield _without(model, "seeds; each image comes out by chance")
        if spec.negative_prompt and not model.negative_prompt:
            yield _without(model, "negative prompt; yours is left out")


def _without(model: Model, what: str) -> Warn:
    return Warn(
        reason="MODEL_FEATURE_UNSUPPORTED",
        message=f"{model.display_name} has no {what}.",
        model=model.key,
    )
