"""Input images of a job on their way into its orders."""

from dataclasses import replace

import pytest

from chassis.errors import Fault, Invalid
from imagestudio.type.v1 import image_pb2, job_pb2
from services.generator import models, orders, references
from services.generator import provider as seam
from services.generator.models import Registry, Slot
from services.generator.plan import plan
from services.generator.provider import Role
from tests.generator.test_plan import PLAIN, spec

ASSET = "ab" * 32
REGISTRY = Registry(models.EVERY, configured={"sketch", "replicate"}, default="sketch")


def referring(**more: object) -> image_pb2.ReferenceImage:
    return image_pb2.ReferenceImage(asset=f"assets/{ASSET}", media_type="image/png", **more)


def order(*references: image_pb2.ReferenceImage) -> seam.Order:
    asked = spec(count=1, seed=7)
    asked.references.extend(references)
    return orders.order(PLAIN, asked, 0, 1, "01890000-0000-7000-8000-000000000001")


def test_an_order_names_its_input_images_by_their_bytes():
    mask = referring(role=image_pb2.REFERENCE_ROLE_MASK, weight=0.5)
    assert order(referring(), mask).references == (
        seam.Reference(asset=ASSET, media_type="image/png"),
        seam.Reference(
            asset=ASSET, media_type="image/png", role=Role.MASK, weight=0.5
        ),
    )  # fmt: skip


def test_every_role_of_the_contract_is_one_of_the_seam():
    told = image_pb2.ReferenceRole.values()
    assert {order(referring(role=role)).references[0].role for role in told} == set(Role)


def test_an_order_without_input_images_has_the_fingerprint_that_it_always_had():
    plain = order()
    assert orders.fingerprint(plain) == orders.hashed([plain.slug, plain.inputs])


def test_other_input_images_are_another_order():
    base = order(referring()).references[0]
    others = [
        (), (base,), (base, base), (replace(base, asset="cd" * 32),),
        (replace(base, role=Role.STYLE),), (replace(base, weight=0.5),),
    ]  # fmt: skip
    made = {orders.fingerprint(replace(order(), references=each)) for each in others}
    assert len(made) == len(others)


# -- what is refused whatever model is asked


def of(role: str = "unspecified", **more: object) -> image_pb2.ReferenceImage:
    named = image_pb2.ReferenceRole.Value(f"REFERENCE_ROLE_{role.upper()}")
    return referring(role=named, **more)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (image_pb2.ReferenceImage(), "references[1]"),
        (image_pb2.ReferenceImage(content=b""), "references[1].content"),
        (image_pb2.ReferenceImage(uri="ftp://example.com/a"), "references[1].uri"),
        (image_pb2.ReferenceImage(asset="jobs/1/variants/2"), "references[1].asset"),
        (image_pb2.ReferenceImage(variant="jobs/1/variants/-"), "references[1].variant"),
        (image_pb2.ReferenceImage(variant="jobs/-/variants/" + "9" * 19), "references[1].variant"),
        (referring(weight=1.5), "references[1].weight"),
        (referring(weight=float("nan")), "references[1].weight"),
        (image_pb2.ReferenceImage(asset=f"assets/{ASSET}", media_type="image/heic"),
         "references[1].media_type"),
        (image_pb2.ReferenceImage(asset=f"assets/{ASSET}", role=77), "references[1].role"),
        (image_pb2.ReferenceImage(content=bytes(references.INLINE_MOST + 1)), "references"),
    ],
)  # fmt: skip
def test_what_no_model_could_take_is_refused_by_its_place(given, field):
    asked = spec()
    asked.references.extend([referring(), given])
    with pytest.raises(Invalid) as refused:
        references.check(asked)
    assert list(refused.value.fields) == [field]


@pytest.mark.parametrize("number", ["0", "9" * 19])
def test_a_number_that_no_variant_has_is_told_as_one_that_is_not_there(number):
    asked = spec()
    asked.references.add(variant=f"jobs/-/variants/{number}")
    with pytest.raises(Invalid, match="is no variant of yours"):
        references.check(asked)


def test_a_mask_lies_on_one_edit_base():
    """Also where the model says nothing of it, as one that a user added may."""
    roles = {"edit_base": 2, "mask": 2}
    slots = tuple(
        Slot(input=name, roles=(Role(name),), many=True, most=most) for name, most in roles.items()
    )
    model = replace(REGISTRY.known("ideogram-v2"), references=slots, max_references=4)
    asked = spec()
    asked.references.extend([of("edit_base"), of("mask")])
    references.check_fit(asked, model)
    for given in ([of("mask")], [*EDIT, of("edit_base")], [*EDIT, of("mask")]):
        crowded = spec()
        crowded.references.extend(given)
        with pytest.raises(Invalid, match="there must be one, and one edit_base"):
            references.check_fit(crowded, model)


# -- what a model takes


def planned(key: str, *given: image_pb2.ReferenceImage, **fields: object) -> job_pb2.JobSpec:
    asked = spec(models=[key], **fields)
    asked.references.extend(given)
    return plan(asked, None, REGISTRY).spec


def misfit(key: str, *given: image_pb2.ReferenceImage, **fields: object) -> Fault:
    with pytest.raises(Fault) as refused:
        planned(key, *given, **fields)
    assert refused.value.reason == "MODEL_FEATURE_UNSUPPORTED"
    return refused.value


EDIT = of("edit_base"), of("mask")


@pytest.mark.parametrize(
    ("key", "given", "fields", "named"),
    [
        ("sketch", [of()], {}, "references"),
        ("flux-schnell", [of()], {}, "references"),
        ("recraft-v3", [of("style")], {}, "references"),
        ("flux-1.1-pro", [of(), of()], {}, "references"),
        ("sketch", [of("mask")], {}, "references"),
        ("flux-1.1-pro", [of("mask")], {}, "references[0].role"),
        ("ideogram-v2", [of("mask")], {}, "references[0]"),
        ("ideogram-v2", [of("edit_base"), of("style")], {}, "references[1].role"),
        ("flux-1.1-pro", [of("edit_base")], {}, "references[0].role"),
        ("flux-1.1-pro", [of(weight=0.5)], {}, "references[0].weight"),
        ("ideogram-v2", [of("edit_base")], {}, "references[0]"),
        ("ideogram-v2", [of("style")], {}, "references[0].role"),
        ("ideogram-v2", EDIT, {"aspect": "1:1"}, "aspect"),
        ("ideogram-v3-turbo", EDIT, {"size": {"width": 1024, "height": 1024}}, "size"),
        ("ideogram-v3-turbo", [of("style")] * 4, {}, "references[3]"),
        ("seedream-4.5", [of()] * 15, {}, "references"),
        ("seedream-4.5", EDIT, {}, "references[1].role"),
        ("flux-1.1-pro", [of()], {"fallbackModels": ["flux-schnell"]}, "references"),
    ],
)  # fmt: skip
def test_what_a_model_does_not_take_is_refused_by_its_field(key, given, fields, named):
    assert list(misfit(key, *given, **fields).fields) == [named]


def sent(key: str, *given: image_pb2.ReferenceImage, **fields: object) -> dict[str, object]:
    asked = planned(key, *given, **fields)
    model = REGISTRY.known(key)
    made = orders.order(model, asked, 0, 1, "01890000-0000-7000-8000-000000000001")
    return {name: made.inputs[name] for name in made.inputs.keys() - {"prompt", "seed"}}


def test_a_shape_that_nobody_asks_for_is_that_of_the_input_image():
    one = {"sequential_image_generation": "disabled", "max_images": 1}
    matched = {"size": "2K", "aspect_ratio": "match_input_image"}
    assert sent("seedream-4.5", of()) == one | matched
    asked = {"size": "custom", "width": 2048, "height": 2048}
    assert sent("seedream-4.5", of(), aspect="1:1") == one | asked
    assert sent("ideogram-v2", *EDIT) == {}
    assert sent("ideogram-v3-turbo", *EDIT, of("style")) == {}
    assert sent("ideogram-v3-turbo", of("style")) == {"aspect_ratio": "1:1"}
    assert sent("flux-1.1-pro", of()) == {"aspect_ratio": "1:1"}


@pytest.mark.parametrize("model", models.EVERY, ids=lambda model: f"{model.provider}-{model.key}")
def test_what_a_model_says_of_its_input_images_is_consistent(model):
    if model.references:
        assert model.max_references == sum(slot.most for slot in model.references)
        assert len(set(model.roles)) == sum(len(slot.roles) for slot in model.references)
    for slot in model.references:
        assert slot.most == 1 or slot.many
        assert slot.needs is None or model.slot(slot.needs)
        assert slot.input not in model.parameters.get("properties", {})


def test_without_slots_input_images_are_for_whatever_the_provider_makes_of_them():
    free = replace(PLAIN, max_references=2)
    assert free.roles == tuple(Role)
    asked = spec()
    asked.references.extend([of("subject"), of("style", weight=0.5)])
    references.check_fit(asked, free)
    style = Slot(input="x", roles=(Role.STYLE,))
    assert replace(PLAIN, references=(style,)).roles == (Role.STYLE,)
