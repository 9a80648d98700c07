"""Presets: a user's own, and the system's, which all may use and nobody may change."""

import json
import re
from dataclasses import dataclass

import asyncpg
from google.protobuf import field_mask_pb2, json_format, struct_pb2

from chassis.errors import Denied, Exists, Fault, Missing
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from imagestudio.catalog.v1 import preset_pb2
from services.catalog import arguments
from services.catalog.database import Connection, Pool, as_user
from services.catalog.pages import Page
from services.catalog.queries import SQL
from services.catalog.variants import check_etag

Row = asyncpg.Record
_KEY = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SIZE = re.compile(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}")
# The contract's fields, in the order of the columns that insert and write take.
_FIELDS = (
    *("preset_key", "display_name", "model_key", "parameters", "batch_count"),
    *("smart_prompt_enabled", "use_case", "prompt_template", "negative_prompt"),
)


@dataclass(frozen=True, slots=True)
class Presets:
    """The presets of one user at a time, with the system's beside them."""

    pool: Pool

    async def get(self, user_id: int, name: str) -> Row:
        """Return "presets/5", or "presets/poster", where the user's own wins."""
        async with as_user(self.pool, user_id) as connection:
            return await _found(connection, user_id, arguments.preset(name), name)

    async def by_key(
        self, user_id: int, request: pb.ListPresetsRequest, page: Page
    ) -> tuple[list[Row], str]:
        """Return a page by key, and the next token; a model's are also those of every model."""
        use_case = arguments.text(request.use_case, "use_case", 200) or None
        models = arguments.texts(request.models, "models")
        async with as_user(self.pool, user_id) as connection:
            rows = await connection.fetch(
                SQL.list_presets, user_id, page.after(), page.size + 1, use_case, models
            )
        more = page.next(rows[page.size - 1]["preset_key"]) if len(rows) > page.size else ""
        return rows[: page.size], more

    async def create(self, user_id: int, wanted: preset_pb2.Preset, request_id: str) -> Row:
        """Write a preset; the same *request_id* with the same preset brings the first again."""
        values, once = _columns(wanted), arguments.request_id(request_id)
        async with as_user(self.pool, user_id) as connection:
            row = await connection.fetchrow(SQL.insert_preset_if_new, user_id, *values, once)
            if row is not None:
                return row
            before = once and await connection.fetchrow(SQL.get_preset_by_request, user_id, once)
        if not before:
            raise _taken(wanted.preset_key)
        if before["etag"] == 1 and _values(before) != values:
            raise Exists(
                "REQUEST_ID_REUSED",
                "This request_id made another preset; use a new one.",
                metadata={"request_id": request_id},
            )
        return before

    async def update(
        self, user_id: int, changed: preset_pb2.Preset, mask: field_mask_pb2.FieldMask
    ) -> Row:
        """Change what *mask* says, or all that is set; Stale where the etag differs."""
        paths = arguments.paths(mask, _FIELDS)
        key = arguments.preset(changed.name, "preset.name")
        async with as_user(self.pool, user_id) as connection:
            row = await _own(connection, user_id, key, changed.name, changed.etag)
            wanted = _preset(row)
            for field in paths if paths is not None else _set_fields(changed):
                wanted.ClearField(field)  # type: ignore[arg-type]
                _copy(changed, wanted, field)
            written = await connection.fetchrow(
                SQL.write_preset_if_key_is_free, user_id, row["preset_id"], *_columns(wanted)
            )
        if written is None:
            raise _taken(wanted.preset_key)
        return written

    async def delete(self, user_id: int, name: str, etag: str, *, allow_missing: bool) -> None:
        """Delete a preset of the user's; jobs keep its key."""
        async with as_user(self.pool, user_id) as connection:
            try:
                row = await _own(connection, user_id, arguments.preset(name), name, etag)
            except Missing:
                if allow_missing:
                    return
                raise
            await connection.execute(SQL.delete_preset, user_id, row["preset_id"])


async def _found(connection: Connection, user_id: int, key: int | str, name: str) -> Row:
    query = SQL.get_preset if isinstance(key, int) else SQL.get_preset_by_key
    row = await connection.fetchrow(query, user_id, key)
    if row is None:
        named = name.removeprefix("presets/")
        raise Missing(
            "PRESET_UNKNOWN",
            f"Neither you nor the system has a preset {named!r}; list them to see which there are.",
            metadata={"preset": named},
            fields={"preset": f"is no preset: {named}"},
        )
    return row


async def _own(connection: Connection, user_id: int, key: int | str, name: str, etag: str) -> Row:
    """Lock a preset of the user's whose etag is *etag*, where that is set."""
    row = await _found(connection, user_id, key, name)
    if row["is_system"]:
        raise Denied(
            "PRESET_READ_ONLY",
            f"{row['preset_key']!r} is a system preset; make one of your own with the same key "
            "and it takes its place.",
            metadata={"preset": row["preset_key"]},
        )
    locked = await connection.fetchrow(SQL.lock_preset, user_id, row["preset_id"])
    if locked is None:  # deleted between the two
        return await _found(connection, user_id, row["preset_id"], name)
    check_etag(etag, str(locked["etag"]), name)
    return locked


def _taken(key: str) -> Fault:
    return Exists(
        "PRESET_EXISTS",
        f"You have a preset {key!r} already; change that one, or choose another key.",
        metadata={"preset": key},
    )


def _columns(wanted: preset_pb2.Preset) -> tuple[object, ...]:
    """Check a preset and return its columns in the order of insert and write."""
    if not _KEY.fullmatch(wanted.preset_key):
        raise arguments.invalid(
            "preset.preset_key",
            "must be 1 to 63 lower-case letters, digits and hyphens, beginning with a letter",
        )
    if not 0 <= wanted.batch_count <= 32:
        raise arguments.invalid("preset.batch_count", "must be from 1 to 32, or 0 for the default")
    template = arguments.text(wanted.prompt_template, "preset.prompt_template", 32_000)
    if template and template.count("{prompt}") != 1:
        raise arguments.invalid(
            "preset.prompt_template", "must have {prompt} in it once, or be empty"
        )
    return (
        wanted.preset_key,
        arguments.text(wanted.display_name, "preset.display_name", 200) or wanted.preset_key,
        arguments.text(wanted.model_key, "preset.model_key", 100),
        _parameters(wanted.parameters),
        wanted.batch_count,
        wanted.smart_prompt_enabled,
        arguments.text(wanted.use_case, "preset.use_case", 200),
        template,
        arguments.text(wanted.negative_prompt, "preset.negative_prompt", 32_000),
    )


def _parameters(wanted: struct_pb2.Struct) -> dict[str, object]:
    """Check parameters; "aspect" and "size" are the job's shape and not the model's."""
    try:
        found: dict[str, object] = json_format.MessageToDict(wanted)
    except (json_format.SerializeToJsonError, ValueError):  # infinite, or no number
        raise arguments.invalid("preset.parameters", "must have finite numbers") from None
    arguments.text(json.dumps(found, ensure_ascii=False), "preset.parameters", 16_384)
    if "\\u0000" in json.dumps(found):
        raise arguments.invalid("preset.parameters", "must not contain the character NUL")
    aspect, size = found.get("aspect"), found.get("size")
    if aspect is not None and size is not None:
        raise arguments.invalid("preset.parameters", "must not have both aspect and size")
    if aspect is not None:
        arguments.aspect(str(aspect) or "-", "preset.parameters.aspect")
    if size is not None and not _SIZE.fullmatch(str(size)):
        raise arguments.invalid("preset.parameters.size", "must be pixels such as '1024x768'")
    return found


def _values(row: Row) -> tuple[object, ...]:
    """Return the columns of *row* as `_columns` does."""
    return _columns(_preset(row))


def _preset(row: Row) -> preset_pb2.Preset:
    """Return what a user may write of *row*."""
    columns = ["name" if field == "display_name" else field for field in _FIELDS]
    return json_format.ParseDict(
        dict(zip(_FIELDS, (row[column] for column in columns), strict=True)), preset_pb2.Preset()
    )


def _set_fields(changed: preset_pb2.Preset) -> list[str]:
    return [field.name for field, _value in changed.ListFields() if field.name in _FIELDS]


def _copy(source: preset_pb2.Preset, target: preset_pb2.Preset, field: str) -> None:
    if field == "parameters":
        target.parameters.CopyFrom(source.parameters)
    else:
        setattr(target, field, getattr(source, field))
