"""
Whether a preset can be drawn, asked before it is saved.

The catalog that keeps presets knows no models, and the generator knows no presets: we ask the
one before we tell the other. What it cannot say just now is no reason to refuse.
"""

import re

from chassis.errors import Fault, Invalid
from gateway.services import Services
from imagestudio.catalog.v1.preset_pb2 import Preset
from imagestudio.generator.v1.generator_service_pb2 import EstimateCostRequest
from imagestudio.type.v1.job_pb2 import JobSpec

_NEVER = frozenset(  # will not get right by itself
    {"MODEL_UNKNOWN", "MODEL_RETIRED", "MODEL_FEATURE_UNSUPPORTED", "PARAMETER_INVALID"}
)
_SHAPE = frozenset({"aspect", "size"})  # of the job, not of its model
_THEIRS = {  # a job's field, and the preset's that it comes of
    **{name: f"parameters.{name}" for name in _SHAPE},
    "models[0]": "model_key",
}
_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")  # what is none the catalog refuses


async def check(services: Services, preset: Preset) -> None:
    """Raise Invalid where no job with *preset* could be planned; without a model any may fit."""
    if not preset.model_key:
        return
    spec = JobSpec(prompt="a preset", models=[preset.model_key])
    for name, value in preset.parameters.fields.items():
        if name in _SHAPE:
            _put(spec, name, value.string_value)
        else:
            spec.parameters[preset.model_key].fields[name].CopyFrom(value)
    try:
        await services.generator.ask("EstimateCost", EstimateCostRequest(spec=spec))
    except Fault as fault:
        if fault.reason in _NEVER:
            told = {_THEIRS.get(n, n): why for n, why in fault.fields.items()}
            fields = told or {"model_key": fault.message}
            raise Invalid(
                fault.reason, fault.message, metadata=fault.metadata, fields=fields
            ) from fault


def _put(spec: JobSpec, name: str, shape: str) -> None:
    if name == "aspect" and shape:
        spec.aspect = shape
    elif size := _SIZE.fullmatch(shape):
        spec.size.width, spec.size.height = map(int, size.groups())


async def check_change(
    services: Services, before: Preset, change: Preset, paths: list[str]
) -> None:
    """Check *before* with the fields at *paths* of *change*."""
    after = Preset()
    after.CopyFrom(before)
    if "model_key" in paths:
        after.model_key = change.model_key
    if "parameters" in paths:
        after.parameters.CopyFrom(change.parameters)
    await check(services, after)
