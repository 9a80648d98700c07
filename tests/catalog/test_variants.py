"""Variants over gRPC: shown, listed, narrowed, rated, deleted, restored."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf import field_mask_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.errors import Denied, Invalid, Missing, Stale, Unauthenticated
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from imagestudio.type.v1 import image_pb2
from services.catalog.database import as_user
from tests.catalog.shelf import PUBLIC, Person, Shelf


async def names(person: Person, parent: str = "jobs/-", **filters: Any) -> list[str]:
    """List all variants that pass *filters*, newest first, a page of two at a time."""
    found, token, wanted = [], "", pb.VariantFilter(**filters)
    while True:
        answer = await person.ask(
            "ListVariants", parent=parent, page_size=2, page_token=token, filter=wanted
        )
        found += [variant.name for variant in answer.variants]
        token = answer.next_page_token
        if not token:
            return found


async def test_a_variant_is_shown_whole_with_links_that_work(shelf: Shelf) -> None:
    ann = await shelf.person()
    job = await shelf.job(ann)
    name = await shelf.variant(
        ann, job, seed=7, generation_time_ms=1500, cost=2_500_000, parameters={"steps": 4}
    )
    found = (await ann.ask("GetVariant", name=name)).variant
    assert (found.name, found.user) == (name, f"users/{ann.user_id}")
    assert found.cdn_url.startswith(f"{PUBLIC}/i/link")
    assert found.thumbnail_url == f"{found.cdn_url}/thumbnail"
    assert f"{PUBLIC}{found.path}" == found.cdn_url
    assert (found.seed, found.cost.usd_micros) == (7, 2_500_000)
    assert found.generation_time.ToMilliseconds() == 1500
    assert dict(found.parameters) == {"steps": 4}
    assert not found.HasField("user_rating")
    assert not found.HasField("delete_time")


async def test_a_published_variant_has_the_cdns_links_and_its_path_in_the_vault(
    shelf: Shelf,
) -> None:
    ann = await shelf.person()
    cdn = "https://cdn.test/a.png"
    name = await shelf.variant(
        ann, await shelf.job(ann), cdn_url=cdn, thumbnail_url=cdn, published_at=datetime.now(UTC)
    )
    found = (await ann.ask("GetVariant", name=name)).variant
    assert (found.cdn_url, found.HasField("publish_time")) == (cdn, True)
    assert re.fullmatch(r"/i/link\d+", found.path)
    [listed] = (await ann.ask("ListVariants", parent="jobs/-")).variants
    liked = image_pb2.Variant(name=name, is_favorite=True)
    wanted = pb.VariantFilter(query="lighthouse")
    [hit] = (await ann.ask("SearchVariants", parent="jobs/-", filter=wanted)).hits
    rated = (await ann.ask("UpdateVariant", variant=liked)).variant
    gone = (await ann.ask("DeleteVariant", name=name)).variant
    back = (await ann.ask("RestoreVariant", name=name)).variant
    shown = [listed, hit.variant, rated, gone, back]
    assert [one.path for one in shown] == [found.path] * len(shown)


async def test_the_job_in_a_name_may_be_left_open_but_not_wrong(shelf: Shelf) -> None:
    ann = await shelf.person()
    job, other = await shelf.job(ann), await shelf.job(ann)
    name = await shelf.variant(ann, job)
    number = name.rpartition("/")[2]
    assert (await ann.ask("GetVariant", name=f"jobs/-/variants/{number}")).variant.name == name
    with pytest.raises(Missing):
        await ann.ask("GetVariant", name=f"jobs/{other}/variants/{number}")


@pytest.mark.parametrize(
    "name",
    [
        *("", "variants/1", "jobs/1/variants/", "jobs/1/variants/0", "jobs/1/variants/1x"),
        *("jobs/-/variants/99999999999999999999", "jobs/1/variants/1\n", "jobs/١/variants/١"),
    ],
)
async def test_a_malformed_name_is_refused_by_field(shelf: Shelf, name: str) -> None:
    ann = await shelf.person()
    with pytest.raises(Invalid) as failure:
        await ann.ask("GetVariant", name=name)
    assert list(failure.value.fields) == ["name"]


async def test_what_is_anothers_answers_as_what_is_not_there(shelf: Shelf) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    job = await shelf.job(ann)
    name = await shelf.variant(ann, job)
    nothing = "jobs/-/variants/999999"
    for method in ("GetVariant", "DeleteVariant", "RestoreVariant"):
        said = []
        for asked in (name, nothing):
            with pytest.raises(Missing) as failure:
                await bob.ask(method, name=asked)
            said.append(
                (failure.value.reason, failure.value.message.replace(asked.rpartition("/")[2], "…"))
            )
        assert said[0] == said[1]
    with pytest.raises(Missing):
        await bob.ask("UpdateVariant", variant=image_pb2.Variant(name=name, is_favorite=True))
    with pytest.raises(Missing):
        await bob.ask("ListVariants", parent=f"jobs/{job}")
    assert await names(bob) == []
    assert await names(ann) == [name]


async def test_reading_needs_read_and_changing_needs_write(shelf: Shelf) -> None:
    reader, writer = await shelf.person("r", "read"), await shelf.person("w", "write")
    for person, method in ((reader, "DeleteVariant"), (writer, "GetVariant")):
        with pytest.raises(Denied) as failure:
            await person.ask(method, name="jobs/1/variants/1")
        assert failure.value.reason == "SCOPE_MISSING"
    with pytest.raises(Unauthenticated):
        await shelf.nobody().ask("ListVariants", parent="jobs/-")
    with pytest.raises(Unauthenticated):
        await shelf.service().ask("ListVariants", parent="jobs/-")


async def test_a_service_sees_what_the_user_it_names_may_see(shelf: Shelf) -> None:
    ann = await shelf.person()
    name = await shelf.variant(ann, await shelf.job(ann))
    assert await names(shelf.service(ann.user_id)) == [name]
    with pytest.raises(Denied):
        await shelf.service(ann.user_id, frozenset({"read"})).ask("DeleteVariant", name=name)


async def test_filters_narrow_and_are_joined_by_and(shelf: Shelf) -> None:
    ann = await shelf.person()
    plain = await shelf.job(ann)
    campaign = await shelf.job(ann, project="spring", use_case="ad", preset_used="poster")
    old = datetime.now(UTC) - timedelta(days=30)
    wide = await shelf.variant(ann, plain, width=1600, height=900)
    nearly = await shelf.variant(ann, plain, width=1600, height=915)
    inked = await shelf.variant(ann, campaign, model_key="sketch-ink", user_rating=4)
    loved = await shelf.variant(ann, campaign, is_favorite=True, user_rating=5)
    aged = await shelf.variant(ann, plain, created_at=old)
    gone = await shelf.variant(ann, plain, deleted_at=old, is_favorite=True)
    blind = await shelf.variant(ann, plain, width=0, height=0)
    day = pb.VariantFilter()
    day.created_from.FromDatetime(datetime.now(UTC) - timedelta(days=1))

    assert await names(ann) == [blind, aged, loved, inked, nearly, wide]
    assert await names(ann, include_deleted=True) == [blind, gone, aged, loved, inked, nearly, wide]
    assert await names(ann, parent=f"jobs/{campaign}") == [loved, inked]
    assert await names(ann, models=["sketch-ink", "nothing"]) == [inked]
    assert await names(ann, project="spring", use_case="ad", preset="poster") == [loved, inked]
    assert await names(ann, project="spring", use_case="else") == []
    assert await names(ann, favorites_only=True) == [loved]
    assert await names(ann, favorites_only=True, include_deleted=True) == [gone, loved]
    assert await names(ann, min_rating=5) == [loved]
    assert await names(ann, aspect="16:9") == [nearly, wide]
    assert await names(ann, created_from=day.created_from) == [blind, loved, inked, nearly, wide]
    assert await names(ann, created_before=day.created_from) == [aged]


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("parent", {"parent": "jobs/x"}),
        ("page_size", {"parent": "jobs/-", "page_size": -1}),
        ("filter.aspect", {"parent": "jobs/-", "filter": pb.VariantFilter(aspect="wide")}),
        ("filter.min_rating", {"parent": "jobs/-", "filter": pb.VariantFilter(min_rating=6)}),
        ("filter.project", {"parent": "jobs/-", "filter": pb.VariantFilter(project="a\0b")}),
        ("filter.models", {"parent": "jobs/-", "filter": pb.VariantFilter(models=["a"] * 65)}),
        ("filter.query", {"parent": "jobs/-", "filter": pb.VariantFilter(query="a" * 1001)}),
    ],
)
async def test_a_wrong_filter_is_refused_by_field(
    shelf: Shelf, field: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(Invalid) as failure:
        await (await shelf.person()).ask("ListVariants", **fields)
    assert list(failure.value.fields) == [field]


@pytest.mark.parametrize("seconds", [-10_000_000_000_000, 10_000_000_000_000])
async def test_a_time_beyond_the_calendar_is_refused(shelf: Shelf, seconds: int) -> None:
    wanted = pb.VariantFilter()
    wanted.created_before.seconds = seconds
    with pytest.raises(Invalid):
        await (await shelf.person()).ask("ListVariants", parent="jobs/-", filter=wanted)


@pytest.mark.parametrize("token", ["x", "", "W10", "WzEsMl0", "e30", "\ud7ff", "A" * 5000])
async def test_a_token_is_opaque_and_of_one_list(shelf: Shelf, token: str) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    for _ in range(3):
        await shelf.variant(ann, await shelf.job(ann))
    first = await ann.ask("ListVariants", parent="jobs/-", page_size=1)
    if token:
        with pytest.raises(Invalid):
            await ann.ask("ListVariants", parent="jobs/-", page_token=token)
    for person, method, more in (
        (bob, "ListVariants", {"parent": "jobs/-"}),
        (ann, "ListVariants", {"parent": "jobs/-", "filter": pb.VariantFilter(min_rating=1)}),
        (ann, "ListJobs", {}),
    ):
        with pytest.raises(Invalid) as failure:
            await person.ask(method, page_token=first.next_page_token, **more)
        assert list(failure.value.fields) == ["page_token"]
    again = {"parent": "jobs/-", "page_size": 2, "page_token": first.next_page_token}
    assert len((await ann.ask("ListVariants", **again)).variants) == 2  # another size is fine


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    before=st.integers(0, 12),
    size=st.integers(1, 5),
    meanwhile=st.lists(st.sampled_from(["insert", "delete newest", "nothing"]), max_size=6),
)
async def test_pages_are_complete_and_stable_while_rows_come_and_go(
    shelf: Shelf, before: int, size: int, meanwhile: list[str]
) -> None:
    ann = await shelf.person()
    job = await shelf.job(ann)
    start = [await shelf.variant(ann, job) for _ in range(before)]
    seen, token, changes = [], "", iter(meanwhile)
    while True:
        answer = await ann.ask("ListVariants", parent="jobs/-", page_size=size, page_token=token)
        seen += [variant.name for variant in answer.variants]
        token = answer.next_page_token
        if not token:
            break
        match next(changes, "nothing"):
            case "insert":
                await shelf.variant(ann, job)
            case "delete newest":
                await ann.ask("DeleteVariant", name=start[-1])
    assert seen == start[::-1]


async def test_a_mask_says_what_changes(shelf: Shelf) -> None:
    ann = await shelf.person()
    name = await shelf.variant(ann, await shelf.job(ann))

    async def update(paths: list[str], **fields: Any) -> tuple[bool, int]:
        variant = image_pb2.Variant(name=name, **fields)
        mask = field_mask_pb2.FieldMask(paths=paths)
        answer = await ann.ask("UpdateVariant", variant=variant, update_mask=mask)
        assert answer.variant == (await ann.ask("GetVariant", name=name)).variant
        return answer.variant.is_favorite, answer.variant.user_rating

    assert await update([], is_favorite=True) == (True, 0)
    assert await update([], user_rating=3) == (True, 3)
    assert await update(["user_rating"], user_rating=4, is_favorite=False) == (True, 4)
    assert await update(["is_favorite"]) == (False, 4)
    assert await update(["user_rating"]) == (False, 0)
    assert await update([]) == (False, 0)
    for paths in (["cost"], ["is_favorite", "name"], ["*"], ["etag"]):
        with pytest.raises(Invalid) as failure:
            await update(paths)
        assert list(failure.value.fields) == ["update_mask"]
    for rating in (0, 6, -1):
        with pytest.raises(Invalid):
            await update([], user_rating=rating)


async def test_an_etag_guards_against_the_change_before(shelf: Shelf) -> None:
    ann = await shelf.person()
    name = await shelf.variant(ann, await shelf.job(ann))
    old = (await ann.ask("GetVariant", name=name)).variant.etag
    wish = image_pb2.Variant(name=name, is_favorite=True, etag=old)
    new = (await ann.ask("UpdateVariant", variant=wish)).variant.etag
    assert new != old
    for method in ("DeleteVariant", "RestoreVariant"):
        with pytest.raises(Stale) as failure:
            await ann.ask(method, name=name, etag=old)
        assert failure.value.reason == "ETAG_MISMATCH"
    with pytest.raises(Stale):
        await ann.ask("UpdateVariant", variant=wish)
    gone = (await ann.ask("DeleteVariant", name=name, etag=new)).variant
    assert gone.etag not in {old, new}


async def test_of_two_changes_with_one_etag_one_wins(shelf: Shelf) -> None:
    ann = await shelf.person()
    name = await shelf.variant(ann, await shelf.job(ann))
    etag = (await ann.ask("GetVariant", name=name)).variant.etag
    wish = image_pb2.Variant(name=name, is_favorite=True, etag=etag)
    async with as_user(shelf.pools.user, ann.user_id) as first:
        await first.execute("UPDATE image_variants SET user_rating = 5")
        second = asyncio.create_task(ann.ask("UpdateVariant", variant=wish))
        waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
        while not await shelf.run(waiting):
            assert not second.done()
    with pytest.raises(Stale):
        await second


async def test_a_deleted_variant_is_hidden_and_comes_back(shelf: Shelf) -> None:
    ann = await shelf.person()
    job = await shelf.job(ann)
    name, other = await shelf.variant(ann, job), await shelf.variant(ann, job)
    gone = (await ann.ask("DeleteVariant", name=name)).variant
    assert gone.HasField("delete_time")
    assert (await ann.ask("DeleteVariant", name=name)).variant == gone  # again changes nothing
    assert await names(ann) == [other]
    images = (await ann.ask("GetJob", name=f"jobs/{job}")).job.images
    assert [image.variant for image in images] == [other]
    assert (await ann.ask("GetVariant", name=name)).variant == gone
    back = (await ann.ask("RestoreVariant", name=name)).variant
    assert not back.HasField("delete_time")
    assert await names(ann) == [other, name]
