"""What takes the place of models that their providers have switched off, where a job allows it."""

from collections.abc import Iterator
from datetime import date

from imagestudio.type.v1 import job_event_pb2, job_pb2
from services.generator import schema
from services.generator.models import Model, Registry

Warn = job_event_pb2.JobEvent.Warning


def settle(spec: job_pb2.JobSpec, registry: Registry) -> list[Warn]:
    """Put the successors of retired models into *spec*, in place; tell of each."""
    if not spec.allow_successor:
        return []
    told = []
    for keys in (spec.models, spec.fallback_models):
        for key in list(keys):
            old, new = registry.known(key), registry.current(key)
            if new.key == old.key:
                continue
            both = new.key in keys
            if both:
                keys.remove(key)
            else:
                keys[list(keys).index(key)] = new.key
            told += [
                _replaced(old, new, registry.end(old), both=both),
                *_parameters(spec, old, new),
            ]
    return told


def _parameters(spec: job_pb2.JobSpec, old: Model, new: Model) -> Iterator[Warn]:
    """Hand the parameters of *old* that *new* takes on to it."""
    if old.key not in spec.parameters:
        return
    given, own = spec.parameters[old.key], spec.parameters[new.key]
    for name, value in given.items():
        wrong = dict(schema.problems(new.parameters, {name: value}, ""))
        if any(path.startswith(f".{name}") for path in wrong):  # not what others would have to be
            yield Warn(
                reason="MODEL_FEATURE_UNSUPPORTED",
                message=f"{new.display_name} does not take the {name} that {old.display_name} was "
                "to have; it is left out.",
                model=new.key,
            )
        elif name not in own:
            own[name] = value
    del spec.parameters[old.key]
    if not own.fields:
        del spec.parameters[new.key]


def _replaced(old: Model, new: Model, end: date | None, *, both: bool) -> Warn:
    instead = "is asked for besides and draws for both, once" if both else "takes its place"
    return Warn(
        reason="MODEL_RETIRED",
        message=f"{old.display_name} was switched off on {end}; {new.display_name} {instead}.",
        model=new.key,
    )
