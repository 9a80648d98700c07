"""
kill -9 before and after each durable step, then the same again: nothing half, nothing lost.

The rows are the points named in the code; one that the story does not pass fails.
"""

import base64
import re
import signal
from contextlib import suppress

import pytest

from chassis.errors import Fault
from tests.storage.client import OTHER, PURCHASE, Client, link_of
from tests.storage.conftest import environment, running, with_cdn
from tests.storage.pictures import picture
from tests.storage.process import ROOT, process
from tests.storage.vendor import http, vendor_host

SOURCES = sorted((ROOT / "services" / "storage").rglob("*.py"))
POINTS = [
    point for path in SOURCES for point in re.findall(r'\bpoint\("([^"]+)"\)', path.read_text())
]
BOUGHT, SENT = picture(size=(700, 700)), picture("JPEG", seed=2)
TEXT = base64.b64encode(BOUGHT)


async def story(client, lab):
    """All that storage makes durable; each step may be repeated after a crash."""
    await client.put_receipt(TEXT)
    bought = (await client.import_(0, len(TEXT), job="jobs/1")).asset
    await client.upload(BOUGHT, OTHER)  # the same picture, bought again
    await client.fetch(f"{lab}/a", OTHER, output_index=1)  # and at a URL
    sent = (await client.upload(SENT)).asset
    await client.delete(sent.name, allow_missing=True)
    await client.publish(bought.name)
    await client.record("jobs/1/variants/1")
    return bought


def test_each_point_is_named_once():
    assert len(POINTS) == len(set(POINTS)) >= 15


@pytest.fixture
async def lab():
    async with vendor_host(None) as host:
        host.scripts = {"/a": http(BOUGHT)}
        yield f"http://127.0.0.1:{host.port}"


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_leaves_nothing_half_and_the_second_try_completes(
    point, folder, catalog, cdn, tmp_path, lab
):
    (tmp_path / point).touch()
    told = {"LAB_URL": lab, **with_cdn(cdn)}
    said = environment(folder, catalog.target, FAULT_FOLDER=str(tmp_path), **told)
    with process(said) as storage:
        client = Client(f"127.0.0.1:{said['STORAGE_PORT']}")
        with suppress(Fault):
            await story(client, lab)
        await client.close()
        assert storage.wait(timeout=120) == -signal.SIGKILL, "the story does not pass this point"

    async with running(folder, catalog.target, **told) as (_, target):
        client = Client(target)
        for path in (folder / "files").rglob("*"):
            if path.is_file() and path.suffix != ".json":
                found = await client.download(f"links/{path.name}")  # not half
                assert found[1] in (BOUGHT, SENT)
        bought = await story(client, lab)
        assert (await client.download(link_of(bought)))[1] == BOUGHT
        assert (await client.download(f"receipts/{PURCHASE}"))[1] == TEXT
        await client.close()
    names = {path.name for path in (folder / "files").rglob("*") if path.is_file()}
    link = link_of(bought).removeprefix("links/")
    notes = (f"{OTHER}.0.json", f"{OTHER}.1.json", "cdn.json", "json")
    assert names == {link, *(f"{link}.{note}" for note in notes)}
    assert list(cdn.assets) == [link]
    assert list((folder / "tmp").iterdir()) == []
    assert not catalog.files
