"""Input images at a real storage, in this process, on a real folder."""

import asyncio

import pytest

from services.generator import pictures as ours
from services.generator import provider as seam
from services.generator.pictures import Pictures
from tests.generator.test_receipts import storing
from tests.generator.wire import SECRET
from tests.ports import free_port
from tests.storage.client import ANNA, BERT, Client
from tests.storage.pictures import picture


@pytest.fixture
async def port(tmp_path):
    found = free_port()
    async with storing(tmp_path, found):
        yield found


@pytest.fixture
async def client(port):
    found = Client(f"127.0.0.1:{port}", secret=SECRET.decode())
    yield found
    await found.close()


@pytest.fixture
def pictures(client):
    return Pictures(client.peer, client.stub)


async def kept(client, content: bytes) -> str:
    """Keep *content*, as paid for: such a file is recorded in no catalog."""
    asset = (await client.upload(content, "0192d7a0-7b1c-7def-8a11-3f5d0c9e4b21")).asset
    return asset.name.removeprefix("assets/")


async def test_an_input_image_is_read_for_the_user_who_buys(client, pictures):
    content = picture()
    asset = await kept(client, content)
    with ours.for_user(ANNA):
        assert await pictures.read(asset) == content
    with ours.for_user(BERT), pytest.raises(seam.Refused):
        await pictures.read(asset)
    with pytest.raises(seam.Unavailable):  # for nobody, nothing is read
        await pictures.read(asset)


async def test_what_is_gone_is_refused_and_who_is_away_is_waited_for(client, pictures, port):
    with ours.for_user(ANNA), pytest.raises(seam.Refused):
        await pictures.read("a" * 64)
    nobody = Client(f"127.0.0.1:{free_port()}", secret=SECRET.decode())
    away = Pictures(nobody.peer, nobody.stub, patience=0.2)
    with ours.for_user(ANNA), pytest.raises(seam.Unavailable):
        await away.read("a" * 64)
    await nobody.close()


async def test_no_more_is_read_than_a_provider_takes(client, pictures):
    asset = await kept(client, bytes(ours.BIGGEST + 1))
    with ours.for_user(ANNA), pytest.raises(seam.Refused, match="more than"):
        await pictures.read(asset)


async def test_two_that_buy_at_once_read_each_for_their_own(client, pictures):
    asset = await kept(client, picture())

    async def read(user: int) -> bytes | None:
        with ours.for_user(user):
            await asyncio.sleep(0)
            try:
                return await pictures.read(asset)
            except seam.Refused:
                return None

    assert await asyncio.gather(read(ANNA), read(BERT)) == [picture(), None]
