"""
From what may have been charged and brought no image to an order for the same again.

Same prompt, model, shape and seed, also where the seed was made by chance; the old rows stay
as they are. No I/O; what cannot be ordered again is refused with a `Fault` that says why.
"""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chassis.errors import Fault, Precondition
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2
from imagestudio.type.v1 import cost_pb2, job_pb2, purchase_pb2
from services.generator import fitting, identifiers, orders, words
from services.generator import plan as planning
from services.generator.models import Model, Registry
from services.generator.plan import Plan
from services.generator.standing import OUT_OF_REACH

_RETRIES = uuid.UUID("5b0c2a3e-8d0e-5d5e-9a52-7c3d51b7f0aa")  # namespace of their request ids
_MOST = 1000  # purchases that a request may name
_LOOKED_UP = purchase_pb2.PURCHASE_STATE_UNCLEAR
Lost = ledger_pb2.LedgerPurchase


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which *job*, and which of its purchases; none means all."""

    job: str
    purchase_ids: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Lower-case hex SHA-256 of the request."""
        return orders.hashed(["retry", self.job, *self.purchase_ids])

    @property
    def request_id(self) -> str:
        """The id of a request that was given none: asked twice, it is ordered once."""
        return str(uuid.uuid5(_RETRIES, self.fingerprint))


@dataclass(frozen=True, slots=True)
class _Call:
    """One lost call: *images* from the *place*-th of its job's model number *column* on."""

    lost: Lost
    column: int
    place: int
    images: int


def checked(purchase_ids: Sequence[str]) -> tuple[str, ...]:
    """Take ids in any order; Invalid where one is none."""
    found = sorted({each.lower() for each in purchase_ids[: _MOST + 1]})
    if len(purchase_ids) > _MOST or not all(map(identifiers.is_uuid, found)):
        raise words.invalid("purchase_ids", f"must be UUIDs, {_MOST} at most")
    return tuple(found)


def plan(wanted: Wanted, found: ledger_service_pb2.ReadUnclearResponse, registry: Registry) -> Plan:
    """Plan what *wanted* asks for of what the ledger has *found*."""
    chosen = _chosen(wanted, found.purchases)
    calls = [_call(each, found.job.spec, registry) for each in chosen]
    spec, ordinals = _narrowed(found.job.spec, calls)
    spares = [registry.usable(key) for key in spec.fallback_models]
    models = [registry.usable(each.lost.purchase.model) for each in calls]
    fitting.check(spec, [registry.known(key) for key in spec.models], spares)
    purchases = [
        planning.planned(
            *(model, spec, ordinal, call.images),
            planning.dearest(spec, model, spares, call.images),
            call.lost.repeats,
        )
        for call, model, ordinal in zip(calls, models, ordinals, strict=True)
    ]
    for call, purchase in zip(calls, purchases, strict=True):
        if call.lost.fingerprint != purchase.fingerprint:
            raise _otherwise(call.lost.purchase)
    estimate = _estimate(spec, models, calls, purchases)
    planning.within_limit(spec, estimate)
    return Plan(
        spec=spec,
        original_prompt=found.job.original_prompt,
        enhanced=_enhanced(found.job),
        purchases=purchases,
        warnings=[*planning.left_out(spec, [*{model.key: model for model in models}.values()])],
        estimate=estimate,
        fingerprint=wanted.fingerprint,
        preset_used=found.job.preset_used,
        retry_of=wanted.job,
    )


def _enhanced(job: job_pb2.Job) -> planning.Enhanced | None:
    """The better prompt that *job* was drawn with: it is not paid for again."""
    if not job.enhanced_by:
        return None
    return planning.Enhanced(
        prompt=job.enhanced_prompt,
        enhanced_by=job.enhanced_by,
        cost=cost_pb2.Cost(basis=cost_pb2.COST_BASIS_METERED),
    )


def _chosen(wanted: Wanted, lost: Sequence[Lost]) -> list[Lost]:
    there = {each.purchase.purchase_id: each for each in lost}
    for purchase_id in wanted.purchase_ids:
        if purchase_id not in there:
            raise _nothing(wanted.job, f"purchase {purchase_id} is none that it has")
    chosen = [there[each] for each in wanted.purchase_ids] if wanted.purchase_ids else [*lost]
    if not chosen:
        raise _nothing(wanted.job, "it has none")
    for each in chosen:
        if each.purchase.state == _LOOKED_UP:
            raise _looked_up(each.purchase)
    return chosen


def _call(lost: Lost, spec: job_pb2.JobSpec, registry: Registry) -> _Call:
    ordinal = lost.purchase.ordinal
    images = orders.images_of(ordinal, spec, registry)
    return _Call(lost, ordinal // spec.count, orders.place_of(ordinal, spec), images)


def _narrowed(spec: job_pb2.JobSpec, calls: Sequence[_Call]) -> tuple[job_pb2.JobSpec, list[int]]:
    """
    Return a spec of the lost images alone, and where its calls stand in it.

    Where the models lack different ones no spec says so: then it is the whole one.
    """
    lacking = defaultdict[int, list[int]](list)
    for call in calls:
        lacking[call.column] += range(call.place, call.place + call.images)
    columns = sorted(lacking)
    places = sorted(lacking[columns[0]])
    first, count = places[0], len(places)
    whole = spec, [call.lost.purchase.ordinal for call in calls]
    if any(sorted(lacking[each]) != [*range(first, first + count)] for each in columns):
        return whole
    narrow = job_pb2.JobSpec()
    narrow.CopyFrom(spec)
    narrow.models[:] = [spec.models[each] for each in columns]
    narrow.count = count
    if spec.HasField("seed"):
        narrow.seed = orders.wrapped(spec.seed + first)
    for key in {*spec.parameters} - {*narrow.models, *narrow.fallback_models}:
        del narrow.parameters[key]
    return narrow, [columns.index(call.column) * count + call.place - first for call in calls]


def _estimate(
    spec: job_pb2.JobSpec,
    models: Sequence[Model],
    calls: Sequence[_Call],
    purchases: Sequence[ledger_pb2.PlannedPurchase],
) -> job_pb2.JobEstimate:
    lines = {model.key: job_pb2.ModelEstimate(model=model.key) for model in models}
    for model, call in zip(models, calls, strict=True):
        line = lines[model.key]
        line.image_count += call.images
        line.purchase_count += 1
        cost = line.cost.usd_micros + planning.expected(spec, model, call.images)
        line.cost.CopyFrom(planning.estimated(cost))
    return job_pb2.JobEstimate(
        reserved=planning.estimated(sum(each.reserved_usd_micros for each in purchases)),
        expected=planning.estimated(sum(line.cost.usd_micros for line in lines.values())),
        models=lines.values(),
    )


def _nothing(job: str, why: str) -> Fault:
    return Precondition(
        "NOTHING_UNCLEAR",
        f"{job} has no image to order again that may have been charged and did not come: {why}. "
        "What certainly was not charged, or was settled, is ordered as a new job.",
        metadata={"job": job},
    )


def _looked_up(lost: purchase_pb2.Purchase) -> Fault:
    metadata = {"purchase_id": lost.purchase_id, "state": "unclear"}
    when = ""
    if lost.HasField("not_before"):
        next_ = lost.not_before.ToDatetime(UTC)
        metadata["lookup_time"] = next_.isoformat()
        when = f", next at {next_:%H:%M:%S}"
    if lost.HasField("deadline"):
        until = lost.deadline.ToDatetime(UTC) + timedelta(seconds=OUT_OF_REACH)
        metadata["until"] = until.isoformat()
        when += f", until {until:%Y-%m-%d %H:%M:%S} UTC, or later where our own storage is away"
    return Precondition(
        "STATE_CONFLICT",
        f"Purchase {lost.purchase_id} of {lost.job} is still being looked up{when}. It may have "
        "been bought and come by itself; order it again when that is over.",
        metadata=metadata,
        retry_after=_seconds_until(lost),
    )


def _otherwise(lost: purchase_pb2.Purchase) -> Fault:
    return Precondition(
        "STATE_CONFLICT",
        f"This release would send another order than purchase {lost.purchase_id} of {lost.job} "
        "was: it cannot be ordered again. Order the image as a new job.",
        metadata={"purchase_id": lost.purchase_id},
    )


def _seconds_until(lost: purchase_pb2.Purchase) -> float | None:
    if not lost.HasField("not_before"):
        return None
    return max(1.0, (lost.not_before.ToDatetime(UTC) - datetime.now(UTC)).total_seconds())
