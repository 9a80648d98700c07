"""The registry as the contract tells it."""

from collections.abc import Sequence
from datetime import UTC, datetime, time

from google.protobuf import json_format

from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1 import model_pb2
from imagestudio.type.v1 import image_pb2
from services.generator import plan, words
from services.generator.health import Health
from services.generator.models import Model, Registry
from services.generator.standing import Terms


def listed(
    request: pb.ListModelsRequest, registry: Registry, terms: dict[str, Terms], health: Health
) -> pb.ListModelsResponse:
    """One page of the models that *request* asks for, by key; *terms* are by provider."""
    if request.page_size < 0:
        raise words.invalid("page_size", "must not be below 0")
    chosen = [
        shown
        for model in registry
        if model.key > request.page_token
        and (not request.providers or model.provider in request.providers)
        and _in_state(shown := _model(model, registry, terms, health), request.states)
    ]
    page = chosen[: request.page_size or None]
    more = page[-1].key if page and len(page) < len(chosen) else ""
    return pb.ListModelsResponse(models=page, next_page_token=more)


def _in_state(shown: model_pb2.Model, states: Sequence[model_pb2.ModelState.ValueType]) -> bool:
    return shown.state in states if states else shown.state != model_pb2.MODEL_STATE_RETIRED


def _model(
    model: Model, registry: Registry, terms: dict[str, Terms], health: Health
) -> model_pb2.Model:
    shown = model_pb2.Model(
        name=f"models/{model.key}",
        key=model.key,
        display_name=model.display_name,
        provider=model.provider,
        capabilities=_capabilities(model, terms.get(model.provider)),
        price_per_image=plan.estimated(model.price_of(model.size(""), {})),
        state=model_pb2.MODEL_STATE_ACTIVE,
    )
    if end := registry.end(model):
        shown.retire_time.FromDatetime(datetime.combine(end, time.min, UTC))
        shown.successor = model.successor
    if registry.retired(model):
        shown.state = model_pb2.MODEL_STATE_RETIRED
    elif not registry.ready(model):
        shown.state = model_pb2.MODEL_STATE_DISABLED
    elif trouble := health.trouble(model.provider):
        shown.state = model_pb2.MODEL_STATE_DEGRADED
        shown.state_reason, shown.state_message = trouble
    shown.price_source, shown.price_date = model.price_source, model.price_date
    json_format.ParseDict(dict(model.parameters), shown.parameters_schema)
    shown.typical_time.FromMilliseconds(round(model.typical * 1000))
    return shown


def _capabilities(model: Model, terms: Terms | None) -> model_pb2.ModelCapabilities:
    drawn = (*model.shapes.values(), *model.sizes)
    sizes = [image_pb2.PixelSize(width=width, height=height) for width, height in drawn]
    return model_pb2.ModelCapabilities(
        aspect_ratios=model.shapes,
        sizes=sizes,
        flexible_size=model.sides is not None,
        max_images_per_purchase=model.most_per_call,
        max_references=model.max_references,
        reference_roles=[
            image_pb2.ReferenceRole.Value(f"REFERENCE_ROLE_{(role or 'unspecified').upper()}")
            for role in model.roles
        ],
        negative_prompt=model.negative_prompt,
        seed=model.seed,
        previews=model.previews,
        cancelable=bool(terms and (terms.cancelable or terms.interruptible)),
        resumable=bool(terms and terms.askable and terms.conclusive),
        media_types=model.media_types,
        max_prompt_characters=model.longest_prompt,
    )
