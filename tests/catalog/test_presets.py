"""Presets over gRPC: one's own beside the system's."""

from typing import Any
from uuid import uuid4

import pytest
from google.protobuf import field_mask_pb2, struct_pb2

from chassis.errors import Denied, Exists, Invalid, Missing, Stale
from imagestudio.catalog.v1 import preset_pb2
from tests.catalog.shelf import Person, Shelf


def preset(key: str = "mine", **fields: Any) -> preset_pb2.Preset:
    parameters = struct_pb2.Struct()
    parameters.update(fields.pop("parameters", {}))
    return preset_pb2.Preset(preset_key=key, parameters=parameters, **fields)


async def keys(person: Person, **fields: Any) -> list[str]:
    found, token = [], ""
    while True:
        answer = await person.ask("ListPresets", page_size=3, page_token=token, **fields)
        found += [preset.preset_key for preset in answer.presets]
        token = answer.next_page_token
        if not token:
            return found


async def create(person: Person, wanted: preset_pb2.Preset, once: str = "") -> preset_pb2.Preset:
    return (await person.ask("CreatePreset", preset=wanted, request_id=once)).preset


async def test_the_systems_presets_are_there_and_useful(shelf: Shelf) -> None:
    ann = await shelf.person()
    found = (await ann.ask("ListPresets")).presets
    assert len(found) >= 8
    for each in found:
        assert each.is_system
        assert each.prompt_template.count("{prompt}") == 1
        assert each.display_name
        assert each.use_case
        assert each.negative_prompt
        assert each.parameters["aspect"] in {"1:1", "2:3", "3:4", "16:9", "9:16"}
        assert each.model_key in {"", "sketch", "sketch-ink", "sketch-mosaic"}


async def test_a_preset_is_written_and_read_by_number_and_by_key(shelf: Shelf) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    wanted = preset(
        display_name="Mine",
        model_key="sketch",
        parameters={"seconds": 2, "aspect": "16:9"},
        batch_count=3,
        smart_prompt_enabled=True,
        use_case="fun",
        prompt_template="{prompt} in blue",
        negative_prompt="red",
    )
    made = await create(ann, wanted)
    for name in (made.name, "presets/mine"):
        assert (await ann.ask("GetPreset", name=name)).preset == made
    for field in ("display_name", "parameters", "batch_count", "prompt_template"):
        assert getattr(made, field) == getattr(wanted, field)
    assert (made.is_system, made.user) == (False, f"users/{ann.user_id}")
    for name in (made.name, "presets/mine", "presets/999999"):
        with pytest.raises(Missing) as failure:
            await bob.ask("GetPreset", name=name)
        assert failure.value.reason == "PRESET_UNKNOWN"
        assert [*failure.value.fields] == ["preset"]
    assert "mine" not in await keys(bob)


async def test_a_key_of_ones_own_wins_over_the_systems(shelf: Shelf) -> None:
    ann = await shelf.person()
    before = await keys(ann)
    system = (await ann.ask("GetPreset", name="presets/poster")).preset
    own = await create(ann, preset("poster"))
    assert (await ann.ask("GetPreset", name="presets/poster")).preset == own
    assert (await ann.ask("GetPreset", name=system.name)).preset == system
    assert await keys(ann) == before == sorted(before)


async def test_a_list_is_narrowed(shelf: Shelf) -> None:
    ann = await shelf.person()
    await create(ann, preset("a-flux", model_key="flux", use_case="ad"))
    await create(ann, preset("b-open", use_case="ad"))
    assert await keys(ann, use_case="ad") == ["a-flux", "b-open"]
    assert await keys(ann, use_case="ad", models=["sketch"]) == ["b-open"]
    assert "ink-illustration" not in await keys(ann, models=["flux"])


async def test_a_repeated_request_brings_the_first_preset(shelf: Shelf) -> None:
    ann, once = await shelf.person(), str(uuid4())
    wanted = preset(parameters={"seconds": 2})
    first = await create(ann, wanted, once)
    assert await create(ann, wanted, once.upper()) == first
    with pytest.raises(Exists) as failure:
        await create(ann, preset(display_name="Other"), once)
    assert failure.value.reason == "REQUEST_ID_REUSED"
    with pytest.raises(Exists) as failure:
        await create(ann, wanted, str(uuid4()))
    assert failure.value.reason == "PRESET_EXISTS"
    changed = preset(display_name="Now", parameters={"seconds": 2})
    changed.name = first.name
    await ann.ask("UpdatePreset", preset=changed)
    assert (await create(ann, wanted, once)).display_name == "Now"


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("preset.preset_key", preset("")),
        ("preset.preset_key", preset("Poster")),
        ("preset.preset_key", preset("9lives")),
        ("preset.preset_key", preset("a" * 64)),
        ("preset.batch_count", preset(batch_count=33)),
        ("preset.batch_count", preset(batch_count=-1)),
        ("preset.prompt_template", preset(prompt_template="no place for the words")),
        ("preset.prompt_template", preset(prompt_template="{prompt} {prompt}")),
        ("preset.display_name", preset(display_name="a\0b")),
        ("preset.display_name", preset(display_name="a" * 201)),
        ("preset.parameters", preset(parameters={"a": "\0"})),
        ("preset.parameters", preset(parameters={"a": "x" * 20_000})),
        ("preset.parameters", preset(parameters={"a": float("nan")})),
        ("preset.parameters", preset(parameters={"aspect": "1:1", "size": "8x8"})),
        ("preset.parameters.aspect", preset(parameters={"aspect": "wide"})),
        ("preset.parameters.aspect", preset(parameters={"aspect": ""})),
        ("preset.parameters.size", preset(parameters={"size": "big"})),
    ],
)
async def test_a_wrong_preset_is_refused_by_field(
    shelf: Shelf, field: str, wanted: preset_pb2.Preset
) -> None:
    ann = await shelf.person()
    with pytest.raises(Invalid) as failure:
        await create(ann, wanted)
    assert list(failure.value.fields) == [field]
    with pytest.raises(Invalid):
        await create(ann, preset(), "no uuid")


async def test_a_mask_says_what_changes(shelf: Shelf) -> None:
    ann = await shelf.person()
    made = await create(ann, preset(batch_count=3, use_case="fun", parameters={"a": 1}))

    async def update(paths: list[str], **fields: Any) -> preset_pb2.Preset:
        changed = preset_pb2.Preset(name=made.name, **fields)
        mask = field_mask_pb2.FieldMask(paths=paths)
        return (await ann.ask("UpdatePreset", preset=changed, update_mask=mask)).preset

    assert (await update([], display_name="Now")).batch_count == 3
    assert (await update(["batch_count"])).batch_count == 0
    assert (await update(["use_case"], display_name="not this")).display_name == "Now"
    assert not (await update(["parameters"])).parameters
    assert (await update(["preset_key"], preset_key="renamed")).preset_key == "renamed"
    for path in ("name", "user", "is_system", "create_time", "etag", "nothing"):
        with pytest.raises(Invalid):
            await update([path])
    await create(ann, preset("taken"))
    with pytest.raises(Exists) as failure:
        await update(["preset_key"], preset_key="taken")
    assert failure.value.reason == "PRESET_EXISTS"
    with pytest.raises(Invalid):
        await update(["preset_key"])


async def test_an_etag_guards_against_the_change_before(shelf: Shelf) -> None:
    ann = await shelf.person()
    made = await create(ann, preset())
    wish = preset_pb2.Preset(name=made.name, display_name="Now", etag=made.etag)
    now = (await ann.ask("UpdatePreset", preset=wish)).preset
    assert now.etag != made.etag
    for method, fields in (("UpdatePreset", {"preset": wish}), ("DeletePreset", {})):
        named = fields or {"name": made.name, "etag": made.etag}
        with pytest.raises(Stale):
            await ann.ask(method, **named)
    await ann.ask("DeletePreset", name=made.name, etag=now.etag)


async def test_a_system_preset_is_changed_by_nobody(shelf: Shelf) -> None:
    ann = await shelf.person()
    for person in (ann, shelf.service(1)):  # not by its owner, either
        for name in ("presets/poster", (await ann.ask("GetPreset", name="presets/poster"))):
            named = name if isinstance(name, str) else name.preset.name
            wish = preset_pb2.Preset(name=named, display_name="Mine now")
            with pytest.raises(Denied) as failure:
                await person.ask("UpdatePreset", preset=wish)
            assert failure.value.reason == "PRESET_READ_ONLY"
            with pytest.raises(Denied):
                await person.ask("DeletePreset", name=named, allow_missing=True)


async def test_a_deleted_preset_is_gone(shelf: Shelf) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    made = await create(ann, preset())
    with pytest.raises(Missing):
        await bob.ask("DeletePreset", name=made.name)
    await bob.ask("DeletePreset", name=made.name, allow_missing=True)
    assert (await ann.ask("GetPreset", name=made.name)).preset == made
    await ann.ask("DeletePreset", name="presets/mine")
    with pytest.raises(Missing):
        await ann.ask("DeletePreset", name=made.name)
    await ann.ask("DeletePreset", name=made.name, allow_missing=True)
    assert "mine" not in await keys(ann)


async def test_writing_needs_the_scope(shelf: Shelf) -> None:
    reader = await shelf.person("reader", "read")
    for method, fields in (
        ("CreatePreset", {"preset": preset()}),
        ("UpdatePreset", {"preset": preset_pb2.Preset(name="presets/1")}),
        ("DeletePreset", {"name": "presets/1"}),
    ):
        with pytest.raises(Denied) as failure:
            await reader.ask(method, **fields)
        assert failure.value.reason == "SCOPE_MISSING"
