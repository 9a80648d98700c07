"""
What every CDN must do, whoever stands behind it: run on each adapter and each server there is.

A test class inherits `CdnSuite` and has two fixtures: `adapter`, a `Cdn`, and `held`, a
function that returns what the server holds, SHA-256 by link.
"""

import asyncio
import hashlib
import random
from urllib.parse import urlsplit

import pytest

from services.storage.cdn import File
from tests import patient
from tests.storage.pictures import picture

LINK = "abcdefghijklmnopqrstuvwxyz"


def file(content: bytes, link: str = LINK, **more: object) -> File:
    async def read(start, stop):
        for at in range(start, stop, 65_536):
            yield content[at : min(at + 65_536, stop)]

    said = {
        "link": link, "user_id": 7, "display_name": "flux_12_3", "media_type": "image/png",
        "size": len(content), "md5": hashlib.md5(content).hexdigest(), "read": read,
    }  # fmt: skip
    return File(**said | more)


def link_of(number: int) -> str:
    return "".join(random.Random(number).choices("abcdefghijklmnopqrstuvwxyz234567", k=26))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class CdnSuite:
    """Inherited by a class for each server."""

    @pytest.fixture
    def large(self) -> bytes:
        """A picture that goes in parts."""
        return picture(size=(400, 400))

    async def test_what_is_published_is_served_byte_by_byte_with_a_preview(self, adapter, held):
        content = picture(size=(800, 600))
        found = await adapter.publish(file(content))
        assert held() == {LINK: sha256(content)}
        assert LINK in urlsplit(found.url).path
        assert LINK in urlsplit(found.thumbnail_url).path
        async with patient.AsyncClient() as http:
            assert (await http.get(found.url)).content == content
            preview = await http.get(found.thumbnail_url)
        assert preview.status_code == 200
        assert preview.headers["content-type"].startswith("image/")

    async def test_again_is_the_same_copy(self, adapter, held):
        content = picture()
        first = await adapter.publish(file(content))
        again = await adapter.publish(file(content))
        assert urlsplit(again.url).path == urlsplit(first.url).path
        assert held() == {LINK: sha256(content)}

    async def test_many_at_once_are_as_many(self, adapter, held):
        contents = {link_of(seed): picture(seed=seed) for seed in range(12)}
        await asyncio.gather(*(adapter.publish(file(c, link)) for link, c in contents.items()))
        assert held() == {link: sha256(content) for link, content in contents.items()}

    async def test_other_bytes_of_that_name_are_written_over(self, adapter, held):
        await adapter.publish(file(picture(seed=1)))
        await adapter.publish(file(picture(seed=2)))
        assert held() == {LINK: sha256(picture(seed=2))}

    async def test_a_large_one_arrives_whole(self, adapter, held, large):
        await adapter.publish(file(large))
        assert held() == {LINK: sha256(large)}

    async def test_awkward_words_go_through(self, adapter, held):
        await adapter.publish(file(picture(), display_name="a&b=c|d é 🖼 {} %26"))
        assert LINK in held()
