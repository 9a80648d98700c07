"""Variants as their user sees, finds and arranges them."""

from dataclasses import dataclass, replace
from typing import Any

import asyncpg
from google.protobuf import field_mask_pb2

from chassis.errors import Stale
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from imagestudio.type.v1 import image_pb2
from services.catalog import arguments, present
from services.catalog.database import Connection, Pool, as_user
from services.catalog.jobs import unknown
from services.catalog.pages import NEWEST, Page
from services.catalog.queries import SQL

Row = asyncpg.Record
_WINDOW = 2000  # newest variants with the words that one look finds, and ranks
_LOOKS = 5  # windows for one page, then it is shorter than asked for
_FEW = 1000  # jobs with a label that are looked up one by one
_CHANGEABLE = frozenset({"is_favorite", "user_rating"})


@dataclass(frozen=True, slots=True)
class Narrowed:
    """
    What a list is narrowed to, in the terms of `filter` in variants.sql.

    *labels* are project, use case and preset of the job, None where they do not matter;
    *own* is what is the variant's own, from $5 to $11.
    """

    words: str
    jobs: list[int] | None
    own: tuple[object, ...]
    labels: tuple[str | None, str | None, str | None]

    @property
    def deleted(self) -> bool:
        """Whether deleted ones are shown, too."""
        return bool(self.own[0])

    @property
    def rest(self) -> tuple[object, ...]:
        """The parameters from $4 to $14."""
        return (self.jobs, *self.own, *self.labels)


@dataclass(frozen=True, slots=True)
class Variants:
    """The library of one user at a time."""

    pool: Pool

    async def get(self, user_id: int, name: str) -> Row:
        """Return "jobs/12/variants/34", also a deleted one."""
        job_id, variant_id = arguments.variant(name)
        async with as_user(self.pool, user_id) as connection:
            row = await connection.fetchrow(SQL.get_variant, user_id, variant_id, job_id)
        if row is None:
            raise unknown(name)
        return row

    async def newest(
        self, user_id: int, request: pb.ListVariantsRequest, page: Page
    ) -> tuple[list[Row], str]:
        """Return a page, newest first, and the next token."""
        asked = _narrowed(request.parent, request.filter)
        async with as_user(self.pool, user_id) as connection:
            asked = await _among_jobs(connection, user_id, asked)
            if asked.words:
                return await _newest_with_words(connection, user_id, asked, page)
            rows = await connection.fetch(
                SQL.list_variants, user_id, page.below(), page.size + 1, *asked.rest, None
            )
        more = page.next(rows[page.size - 1]["variant_id"]) if len(rows) > page.size else ""
        return rows[: page.size], more

    async def search(
        self, user_id: int, request: pb.SearchVariantsRequest, page: Page
    ) -> tuple[list[Row], str]:
        """Return a page with ranks, best first among the newest 2,000, and the next token."""
        asked = _narrowed(request.parent, request.filter)
        if not asked.words:
            raise arguments.invalid("filter.query", "must have the words to search for")
        async with as_user(self.pool, user_id) as connection:
            asked = await _among_jobs(connection, user_id, asked)
            return await _best_with_words(connection, user_id, asked, page)

    async def update(
        self, user_id: int, changed: image_pb2.Variant, mask: field_mask_pb2.FieldMask
    ) -> Row:
        """Set favourite and rating as *mask* says; Stale where the etag differs."""
        paths = arguments.paths(mask, _CHANGEABLE)
        if changed.HasField("user_rating") and not 1 <= changed.user_rating <= 5:
            raise arguments.invalid("variant.user_rating", "must be from 1 to 5, or unset")
        async with as_user(self.pool, user_id) as connection:
            row = await _locked(connection, user_id, changed.name, changed.etag, "variant.name")
            favorite, rating = _rated(row, changed, paths)
            return await _written(
                connection, SQL.rate_variant, user_id, row["variant_id"], favorite, rating
            )

    async def delete(self, user_id: int, name: str, etag: str) -> Row:
        """Hide a variant; its bytes and its link stay."""
        async with as_user(self.pool, user_id) as connection:
            row = await _locked(connection, user_id, name, etag)
            return await _written(connection, SQL.delete_variant, user_id, row["variant_id"])

    async def restore(self, user_id: int, name: str, etag: str) -> Row:
        """Show a deleted variant again."""
        async with as_user(self.pool, user_id) as connection:
            row = await _locked(connection, user_id, name, etag)
            return await _written(connection, SQL.restore_variant, user_id, row["variant_id"])


def _rated(
    row: Row, changed: image_pb2.Variant, paths: frozenset[str] | None
) -> tuple[bool, int | None]:
    """Return favourite and rating after the change; no mask: what is set of the two."""
    favorite, rating = row["is_favorite"], row["user_rating"]
    wish = changed.user_rating if changed.HasField("user_rating") else None
    if paths is None:
        return favorite or changed.is_favorite, wish or rating
    return (
        changed.is_favorite if "is_favorite" in paths else favorite,
        wish if "user_rating" in paths else rating,
    )


async def _locked(
    connection: Connection, user_id: int, name: str, etag: str, field: str = "name"
) -> Row:
    """Lock a variant whose etag is *etag*, where that is set."""
    job_id, variant_id = arguments.variant(name, field)
    row = await connection.fetchrow(SQL.lock_variant, user_id, variant_id, job_id)
    if row is None:
        raise unknown(name)
    check_etag(etag, present.variant_etag(row), name)
    return row


def check_etag(wanted: str, found: str, name: str) -> None:
    """Refuse a change of something that somebody else changed first."""
    if wanted and wanted != found:
        raise Stale(
            "ETAG_MISMATCH",
            f"{name} was changed since you read it; read it again, then change it.",
            metadata={"name": name},
        )


async def _written(connection: Connection, query: str, *arguments_: Any) -> Row:
    """Run an UPDATE of a row that this transaction has locked."""
    (row,) = await connection.fetch(query, *arguments_)
    return row


async def _among_jobs(connection: Connection, user_id: int, asked: Narrowed) -> Narrowed:
    """Check the one job that is asked for; put few labelled ones in place of their labels."""
    if asked.jobs:
        if not await connection.fetchval(SQL.job_exists, user_id, asked.jobs[0]):
            raise unknown(f"jobs/{asked.jobs[0]}")
        return asked
    if not any(asked.labels):
        return asked
    rows = await connection.fetch(SQL.jobs_labelled, user_id, _FEW + 1, *asked.labels)
    if len(rows) > _FEW:
        return asked
    return replace(asked, jobs=[row["job_id"] for row in rows], labels=(None, None, None))


async def _newest_with_words(
    connection: Connection, user_id: int, asked: Narrowed, page: Page
) -> tuple[list[Row], str]:
    """Look through windows of variants with the words until the page is full."""
    below, rows = page.below(), list[Row]()
    for _look in range(_LOOKS):
        ids, _ranks = await _window(connection, asked, below)
        rows += await connection.fetch(
            SQL.list_variants, user_id, below, page.size + 1 - len(rows), *asked.rest, ids
        )
        if len(rows) > page.size:
            return rows[: page.size], page.next(rows[page.size - 1]["variant_id"])
        if len(ids) < _WINDOW:
            return rows, ""
        below = ids[-1]
    return rows, page.next(below)


async def _best_with_words(
    connection: Connection, user_id: int, asked: Narrowed, page: Page
) -> tuple[list[Row], str]:
    """
    Rank the newest 2,000 that have the words; when they are through, those before them.

    The token holds where the window begins, so that what is kept meanwhile moves nothing.
    """
    top, rank, last = page.ranked()
    ids, ranks = await _window(connection, asked, top)
    rows = await connection.fetch(
        SQL.rank_variants, user_id, last, page.size + 1, *asked.rest, ids, ranks, rank
    )
    if len(rows) > page.size:
        end = rows[page.size - 1]
        return rows[: page.size], page.next(ids[0] + 1, end["rank"], end["variant_id"])
    more = page.next(ids[-1], None, NEWEST) if len(ids) == _WINDOW else ""
    return rows, more


async def _window(
    connection: Connection, asked: Narrowed, below: int
) -> tuple[list[int], list[float]]:
    """Find the newest variants below an id that have the words, with their ranks."""
    found = await connection.fetch(SQL.find_variants, asked.words, below, _WINDOW, asked.deleted)
    return [row["found_id"] for row in found], [row["rank"] for row in found]


def _narrowed(parent: str, wanted: pb.VariantFilter) -> Narrowed:
    if not 0 <= wanted.min_rating <= 5:
        raise arguments.invalid("filter.min_rating", "must be from 1 to 5, or 0 for all")
    job_id = arguments.parent_job(parent)
    return Narrowed(
        words=arguments.text(wanted.query, "filter.query", 1000).strip(),
        jobs=[job_id] if job_id else None,
        own=(
            wanted.include_deleted,
            wanted.favorites_only,
            wanted.min_rating or None,
            arguments.texts(wanted.models, "filter.models"),
            arguments.time_of(wanted, "created_from", "filter"),
            arguments.time_of(wanted, "created_before", "filter"),
            arguments.aspect(wanted.aspect, "filter.aspect"),
        ),
        labels=(
            arguments.text(wanted.project, "filter.project", 200) or None,
            arguments.text(wanted.use_case, "filter.use_case", 200) or None,
            arguments.text(wanted.preset, "filter.preset", 200) or None,
        ),
    )
