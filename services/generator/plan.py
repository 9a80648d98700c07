"""
From a request to a plan: the complete spec, what shall be bought, what is left out, what
it may cost. No I/O; what cannot be planned is refused with a `Fault` that says why.
"""

import dataclasses
from collections.abc import Iterator

from google.protobuf import json_format

from chassis.errors import Precondition
from imagestudio.catalog.v1 import ledger_pb2, preset_pb2
from imagestudio.type.v1 import cost_pb2, job_event_pb2, job_pb2
from services.generator import fitting, identifiers, orders, words
from services.generator.models import Model, Registry

Warn = job_event_pb2.JobEvent.Warning


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


def plan(asked: job_pb2.JobSpec, preset: preset_pb2.Preset | None, registry: Registry) -> Plan:
    """Plan *asked*, with what it leaves out from *preset*, then from the defaults."""
    words.check(asked)
    spec = _complete(asked, preset, registry)
    models = [registry.usable(key) for key in spec.models]
    spares = [registry.usable(key) for key in spec.fallback_models]
    fitting.check(spec, models, spares)
    estimate = _estimate(spec, models, spares)
    _within_limit(spec, estimate)
    return Plan(
        spec=spec,
        original_prompt=asked.prompt,
        purchases=list(_purchases(spec, models, spares)),
        warnings=[*_not_rewritten(asked, preset), *_left_out(spec, models)],
        estimate=estimate,
        fingerprint=request_fingerprint(asked),
        preset_used=preset.preset_key if preset else "",
    )


def request_fingerprint(asked: job_pb2.JobSpec) -> str:
    """Lower-case hex SHA-256 of a request in canonical form."""
    return orders.hashed(json_format.MessageToDict(asked))


def planned(
    model: Model, spec: job_pb2.JobSpec, ordinal: int, reserved: int
) -> ledger_pb2.PlannedPurchase:
    """One call of *model*, under a new id; *reserved* is in micro-USD."""
    purchase_id = identifiers.uuid7()
    order = orders.order(model, spec, orders.place_of(ordinal, spec), purchase_id)
    return ledger_pb2.PlannedPurchase(
        purchase_id=purchase_id,
        provider=model.provider,
        model_key=model.key,
        ordinal=ordinal,
        fingerprint=orders.fingerprint(order),
        reserved_usd_micros=reserved,
    )


def _complete(
    asked: job_pb2.JobSpec, preset: preset_pb2.Preset | None, registry: Registry
) -> job_pb2.JobSpec:
    spec = job_pb2.JobSpec()
    spec.CopyFrom(asked)
    spec.title = asked.title or words.title(asked.prompt)
    spec.smart_prompt = False
    if preset:
        _fill_in(spec, preset)
    if not spec.models:
        spec.models.append(registry.default)
    if not spec.HasField("count"):
        spec.count = 1
    return spec


def _fill_in(spec: job_pb2.JobSpec, preset: preset_pb2.Preset) -> None:
    if not spec.models and preset.model_key:
        spec.models.append(preset.model_key)
    if not spec.HasField("count") and preset.batch_count:
        spec.count = preset.batch_count
    spec.prompt = words.templated(preset.prompt_template, spec.prompt)
    spec.negative_prompt = spec.negative_prompt or preset.negative_prompt
    spec.use_case = spec.use_case or preset.use_case
    if preset.model_key in spec.models and preset.parameters.fields:
        own = spec.parameters[preset.model_key]  # a map of messages makes the entry
        for name, value in preset.parameters.fields.items():
            if name not in own.fields:
                own.fields[name].CopyFrom(value)


def _purchases(
    spec: job_pb2.JobSpec, models: list[Model], spares: list[Model]
) -> Iterator[ledger_pb2.PlannedPurchase]:
    for number, model in enumerate(models):
        for place in range(spec.count):
            ordinal = number * spec.count + place
            yield planned(model, spec, ordinal, dearest(model, spares))


def dearest(model: Model, spares: list[Model]) -> int:
    """The most that a call of *model* or of one of its *spares* costs, in micro-USD."""
    return max(each.price for each in (model, *spares))


def _estimate(
    spec: job_pb2.JobSpec, models: list[Model], spares: list[Model]
) -> job_pb2.JobEstimate:
    count = spec.count
    lines = [
        job_pb2.ModelEstimate(
            model=model.key,
            image_count=count,
            purchase_count=count,
            cost=_estimated(model.price * count),
        )
        for model in models
    ]
    return job_pb2.JobEstimate(
        reserved=_estimated(sum(dearest(model, spares) * count for model in models)),
        expected=_estimated(sum(line.cost.usd_micros for line in lines)),
        models=lines,
    )


def _estimated(micros: int) -> cost_pb2.Cost:
    return cost_pb2.Cost(usd_micros=micros, basis=cost_pb2.COST_BASIS_ESTIMATED)


def _within_limit(spec: job_pb2.JobSpec, estimate: job_pb2.JobEstimate) -> None:
    most, needed = spec.max_cost_usd_micros, estimate.reserved.usd_micros
    if spec.HasField("max_cost_usd_micros") and needed > most:
        raise Precondition(
            "COST_LIMIT_EXCEEDED",
            f"It may cost {needed / 1e6:.6f} USD and the request allows {most / 1e6:.6f}; raise "
            "max_cost, ask for fewer images, or choose cheaper models.",
            metadata={"estimate_usd_micros": str(needed)},
        )


def _not_rewritten(asked: job_pb2.JobSpec, preset: preset_pb2.Preset | None) -> Iterator[Warn]:
    if preset and preset.smart_prompt_enabled and not asked.HasField("smart_prompt"):
        yield Warn(
            reason="MODEL_FEATURE_UNSUPPORTED",
            message=f"The preset {preset.preset_key!r} asks for a rewritten prompt, and no "
            "language model is configured here: the prompt is used as it is.",
        )


def _left_out(spec: job_pb2.JobSpec, models: list[Model]) -> Iterator[Warn]:
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
