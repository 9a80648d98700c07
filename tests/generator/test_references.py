"""Input images of a job on their way into its orders."""

from dataclasses import replace

from imagestudio.type.v1 import image_pb2
from services.generator import orders
from services.generator import provider as seam
from tests.generator.test_plan import PLAIN, spec

ASSET = "ab" * 32


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
            asset=ASSET, media_type="image/png", role=seam.Role.MASK, weight=0.5
        ),
    )  # fmt: skip


def test_every_role_of_the_contract_is_one_of_the_seam():
    told = image_pb2.ReferenceRole.values()
    assert {order(referring(role=role)).references[0].role for role in told} == set(seam.Role)


def test_an_order_without_input_images_has_the_fingerprint_that_it_always_had():
    plain = order()
    assert orders.fingerprint(plain) == orders.hashed([plain.slug, plain.inputs])


def test_other_input_images_are_another_order():
    base = order(referring()).references[0]
    others = [
        (), (base,), (base, base), (replace(base, asset="cd" * 32),),
        (replace(base, role=seam.Role.STYLE),), (replace(base, weight=0.5),),
    ]  # fmt: skip
    made = {orders.fingerprint(replace(order(), references=each)) for each in others}
    assert len(made) == len(others)
