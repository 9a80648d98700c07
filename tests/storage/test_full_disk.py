"""A disk that is really full: a small tmpfs."""

import os
import subprocess

import pytest

from chassis.errors import Exhausted
from tests.storage.client import OTHER, PURCHASE, Client, link_of
from tests.storage.conftest import running
from tests.storage.pictures import picture

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a tmpfs")


@pytest.fixture
def small(tmp_path):
    """A file system of 4 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)  # a last reader may still close


async def test_a_full_disk_loses_nothing_and_recovers(small, catalog):
    filler = small / "filler"
    async with running(small / "vault", catalog.target, DISK_RESERVE_MB="1") as (_, target):
        client = Client(target)
        first = picture(size=(300, 300))
        name = link_of((await client.upload(first)).asset)
        filler.write_bytes(b"\0" * 3_000_000)

        with pytest.raises(Exhausted):  # below the reserve: not from people
            await client.upload(picture(seed=2))
        assert (await client.upload(picture(seed=2), PURCHASE)).asset.readable  # but this is paid
        large = picture(size=(700, 700))
        for call in (client.upload(large, PURCHASE), client.put_receipt(large)):
            with pytest.raises(Exhausted) as refusal:
                await call
            assert refusal.value.reason == "DISK_FULL"
            assert refusal.value.metadata.keys() == {"free_bytes"}
            assert refusal.value.retry_after
        assert list((small / "vault" / "tmp").iterdir()) == []
        assert len(list((small / "vault" / "receipts").rglob(f"{PURCHASE}*"))) == 0
        assert (await client.download(name))[1] == first

        filler.unlink()
        assert (await client.put_receipt(large)).size_bytes == len(large)
        filler.write_bytes(b"\0" * (room := (await client.room()).free_bytes))
        assert room > 0
        thumbnail = await client.download(name, thumbnail=True)  # shown, though it cannot be kept
        assert thumbnail[0].media_type == "image/webp"
        filler.unlink()
        assert not (await client.upload(large, OTHER)).deduplicated
        await client.close()
