"""Search by words: ranked, paged, and complete beyond what one look ranks."""

from typing import Any

import pytest

from chassis.errors import Invalid
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from services.catalog import variants
from tests.catalog.shelf import Person, Shelf


async def search(
    person: Person, query: str, size: int = 2, *, looks: int = 1, **filters: Any
) -> list[str]:
    """All that is found, page by page, ranked where one look has them all."""
    found, token, rank = [], "", float("inf")
    wanted = pb.VariantFilter(query=query, **filters)
    while True:
        answer = await person.ask(
            "SearchVariants", parent="jobs/-", page_size=size, page_token=token, filter=wanted
        )
        for hit in answer.hits:
            assert hit.rank <= rank or looks > 1
            rank = hit.rank
            found.append(hit.variant.name)
        assert len(set(found)) == len(found)
        token = answer.next_page_token
        if not token:
            return found


async def _write(shelf: Shelf, owner: Person, *prompts: str, **columns: Any) -> list[str]:
    job = await shelf.job(owner)
    return [
        await shelf.variant(owner, job, original_prompt=prompt, **columns) for prompt in prompts
    ]


async def test_the_best_come_first_and_words_are_as_a_search_engine_has_them(shelf: Shelf) -> None:
    ann = await shelf.person()
    one, two, three, ship = await _write(
        shelf,
        ann,
        "a red fox in the snow",
        "a fox and a fox and a fox",
        "a grey wolf",
        "a tall ship at anchor",
    )
    assert await search(ann, "fox") == [two, one]
    assert await search(ann, "FOX snow") == [one]
    assert await search(ann, "fox -snow") == [two]
    assert await search(ann, "wolf or snow") == [three, one]
    assert await search(ann, '"tall ship"') == [ship]
    assert await search(ann, '"ship tall"') == []
    assert await search(ann, "wolfhound") == []


@pytest.mark.parametrize("odd", ["!!", "'", "a & | b", "\\", "-", '"', "<->", "é", "🦊", "%_"])
async def test_no_words_break_a_search(shelf: Shelf, odd: str) -> None:
    ann = await shelf.person()
    await _write(shelf, ann, "a fox")
    assert await search(ann, odd) in ([], await search(ann, "fox"))


async def test_words_are_needed(shelf: Shelf) -> None:
    ann = await shelf.person()
    for query in ("", "   "):
        with pytest.raises(Invalid) as failure:
            await ann.ask("SearchVariants", parent="jobs/-", filter=pb.VariantFilter(query=query))
        assert list(failure.value.fields) == ["filter.query"]


async def test_an_enhanced_prompt_is_searched_too(shelf: Shelf) -> None:
    ann = await shelf.person()
    (name,) = await _write(shelf, ann, "a fox", enhanced_prompt="a vixen at dusk")
    assert await search(ann, "vixen") == [name]


async def test_filters_hold_in_a_search(shelf: Shelf) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    await _write(shelf, bob, "a fox")
    (plain,) = await _write(shelf, ann, "a fox")
    (loved,) = await _write(shelf, ann, "a fox", is_favorite=True)
    assert sorted(await search(ann, "fox")) == sorted([plain, loved])
    assert await search(ann, "fox", favorites_only=True) == [loved]
    await ann.ask("DeleteVariant", name=plain)
    assert await search(ann, "fox") == [loved]
    assert await search(ann, "fox", include_deleted=True) == [loved, plain]


async def test_what_is_kept_meanwhile_moves_no_page(shelf: Shelf) -> None:
    ann = await shelf.person()
    start = await _write(shelf, ann, *["a fox"] * 5)
    wanted = pb.VariantFilter(query="fox")
    first = await ann.ask("SearchVariants", parent="jobs/-", page_size=2, filter=wanted)
    await _write(shelf, ann, "fox fox fox", "a fox")
    rest = await ann.ask(
        "SearchVariants", parent="jobs/-", page_token=first.next_page_token, filter=wanted
    )
    seen = [hit.variant.name for hit in (*first.hits, *rest.hits)]
    assert seen == start[::-1]


_MORE = """
    INSERT INTO image_variants (
        job_id, user_id, version_number, model_key, original_prompt, cdn_url, thumbnail_url,
        width, height, cost, image_hash, purchase_id, output_index, media_type, bytes)
    SELECT job_id, user_id, version_number + number, model_key, original_prompt, cdn_url,
        thumbnail_url, width, height, cost, image_hash, gen_random_uuid(), output_index,
        media_type, bytes
    FROM image_variants, generate_series(1, $2) AS number
    WHERE variant_id = $1"""


async def _listed(person: Person, size: int, **filters: Any) -> list[str]:
    found, token = [], ""
    while True:
        answer = await person.ask(
            "ListVariants",
            parent="jobs/-",
            page_size=size,
            page_token=token,
            filter=pb.VariantFilter(query="fox", **filters),
        )
        found += [variant.name for variant in answer.variants]
        token = answer.next_page_token
        if not token:
            return found


async def test_all_are_found_beyond_what_one_look_ranks(shelf: Shelf) -> None:
    """Of more than two looks, in pages that end within a look, and with one."""
    ann = await shelf.person()
    job = await shelf.job(ann)
    loved = [
        await shelf.variant(ann, job, original_prompt="fox fox", is_favorite=True) for _ in range(3)
    ]
    plain = await shelf.variant(ann, job, original_prompt="a fox")
    count = 2 * variants._WINDOW
    await shelf.run(_MORE, _number(plain), count)
    found = await search(ann, "fox", 700, looks=3)
    assert len(found) == len(set(found)) == count + 4
    for size in (700, 1000):
        listed = await _listed(ann, size)
        assert listed == sorted(listed, key=_number, reverse=True)
        assert set(listed) == set(found)
    assert await _listed(ann, 2, favorites_only=True) == loved[::-1]


def _number(name: str) -> int:
    return int(name.rpartition("/")[2])
