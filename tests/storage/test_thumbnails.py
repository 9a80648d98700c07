"""Thumbnails: small, upright, without a trace of metadata, made once; hostile files included."""

import asyncio
import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image
from prometheus_client import REGISTRY

from services.storage.child import Child, Unreadable
from services.storage.decoder import thumbnail
from tests.storage.client import PURCHASE, link_of
from tests.storage.pictures import chunk, decoded, encoded, gif, picture, png_claiming

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def child():
    child = Child(idle=60)
    yield child
    await child.close()


async def stand_in_of(client, content):
    asset = (await client.upload(content, PURCHASE)).asset
    header, found = await client.download(link_of(asset), thumbnail=True)
    assert (header.media_type, header.size_bytes) == ("image/webp", len(found))
    assert header.stand_in
    return found


def of_mode(mode, size=(40, 30)):
    return Image.new("RGB", size, (200, 30, 60)).convert(mode)


@pytest.mark.parametrize(
    "content",
    [
        *(picture(kind, (700, 350)) for kind in ("PNG", "JPEG", "WEBP", "GIF")),
        *(encoded(of_mode(mode), "PNG") for mode in ("1", "L", "LA", "P", "RGBA", "I;16")),
        encoded(of_mode("CMYK"), "JPEG"),
        picture(size=(1, 3000)),
        picture("GIF", save_all=True, append_images=[Image.new("RGB", (64, 48))]),
    ],
    ids=range(13),
)
def test_each_kind_of_picture_has_a_thumbnail_that_fits(content):
    original, small = decoded(content), decoded(thumbnail(content))
    assert small.format == "WEBP"
    assert max(small.size) == min(512, max(original.size))
    ratio = original.width / original.height
    assert small.width == max(1, round(small.height * ratio)) or small.height == round(
        small.width / ratio
    )


def test_transparency_is_kept():
    small = decoded(thumbnail(encoded(Image.new("RGBA", (9, 9), (1, 2, 3, 0)), "PNG")))
    assert small.getpixel((4, 4))[3] == 0


def test_a_16_bit_grey_keeps_its_shades():
    grey = Image.frombytes("I;16", (8, 8), b"\x00\x80" * 64)
    red, green, blue = decoded(thumbnail(encoded(grey, "PNG"))).getpixel((4, 4))
    assert 120 < red == green == blue < 136


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_upright(orientation):
    """The corner that is red when shown is top left, whatever way the camera was held."""
    upright = Image.new("RGB", (60, 40), "white")
    upright.paste("red", (0, 0, 20, 20))
    undo = [
        None, None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180,
        Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_90,
        Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_270,
    ][orientation]  # fmt: skip
    stored = upright.transpose(undo) if undo is not None else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("JPEG", "PNG", "WEBP"):
        small = decoded(thumbnail(encoded(stored, kind, exif=exif)))
        assert small.size == (60, 40)
        red, green, _ = small.convert("RGB").getpixel((8, 8))
        assert red > 200
        assert green < 80


def test_no_metadata_goes_out():
    exif = Image.Exif()
    exif[0x010E] = "SECRET description"
    exif.get_ifd(0x8825)[1] = "N"
    xmp = b"<x:xmpmeta>SECRET</x:xmpmeta>"
    for kind in ("JPEG", "WEBP"):
        content = picture(kind, exif=exif, xmp=xmp, icc_profile=b"SECRET" * 99)
        small = thumbnail(content)
        assert b"SECRET" in content
        assert b"SECRET" not in small
        assert not any(tag in small for tag in (b"EXIF", b"XMP ", b"ICCP"))
        assert dict(decoded(small).getexif()) == {}


BOMBS = {
    "a lie about its size": png_claiming(16_000, 3_000),
    "more pixels than allowed": png_claiming(10_000, 6_000),
    "a huge logical screen": gif((65_535, 65_535)),
    "a side that is too long": picture(size=(16_385, 2)),
    "cut short": picture(size=(300, 300))[:-5000] + chunk(b"IEND"),
    "wrong checksum": picture().replace(b"IDAT", b"IDAT\1", 1),
    "text bomb": picture()[:33]
    + chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(100_000_000)))
    + picture()[33:],
    "html": b"<html>" * 100,
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "bmp": encoded(Image.new("RGB", (9, 9)), "BMP"),
    "tiff": encoded(Image.new("RGB", (9, 9)), "TIFF"),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_hostile_file_is_unreadable_and_the_child_lives_on(child, name):
    await child.placeholder()
    before = child.pid
    with pytest.raises(Unreadable):
        await child.thumbnail(BOMBS[name])
    assert decoded(await child.thumbnail(picture())).size == (64, 48)
    assert child.pid == before


async def test_what_cannot_be_read_has_a_placeholder_that_is_not_kept(client, folder):
    for content in (BOMBS["html"], BOMBS["wrong checksum"], BOMBS["more pixels than allowed"]):
        for _ in range(2):
            found = await stand_in_of(client, content)
            assert decoded(found).size == (512, 512)
    assert not list((folder / "thumbnails").rglob("*.webp"))


def made():
    return REGISTRY.get_sample_value("studio_thumbnails_made_total", {"made": "yes"}) or 0


async def test_many_first_requests_make_it_once(client, storage, folder):
    asset = (await client.upload(picture(size=(900, 900)), PURCHASE)).asset
    before = made()
    found = await asyncio.gather(
        *(client.download(link_of(asset), thumbnail=True) for _ in range(10))
    )
    assert made() == before + 1
    assert len({content for _, content in found}) == 1
    assert not any(header.stand_in for header, _ in found)
    assert max(decoded(found[0][1]).size) == 512
    [kept] = (folder / "thumbnails").rglob("*.webp")
    inode = kept.stat().st_ino
    await client.download(link_of(asset), thumbnail=True)
    assert kept.stat().st_ino == inode
    assert kept.read_bytes() == found[0][1]


async def test_a_thumbnail_goes_with_its_file(client, folder):
    asset = (await client.upload(picture())).asset
    await client.download(link_of(asset), thumbnail=True)
    await client.delete(asset.name)
    assert not [path for path in folder.rglob("*") if path.is_file() and path.parent != folder]


async def test_a_killed_child_is_replaced(child):
    await child.placeholder()
    first = child.pid
    os.kill(first, signal.SIGKILL)
    assert decoded(await child.thumbnail(picture())).size == (64, 48)
    assert child.pid not in (None, first)


@pytest.mark.skipif(sys.platform == "win32", reason="the services' loop is not there")
def test_a_child_whose_input_is_closed_is_replaced_on_the_loop_that_the_services_have():
    async def ask() -> bytes:
        child = Child()
        await child.placeholder()
        child._process.stdin.close()
        await asyncio.sleep(0)
        try:
            return await child.placeholder()
        finally:
            await child.close()

    import uvloop

    assert uvloop.run(ask())


@pytest.mark.skipif(sys.platform != "linux", reason="waits on a pidfd")
async def test_an_idle_child_ends_and_comes_back():
    child = Child(idle=0.05)
    await child.placeholder()
    ended = os.pidfd_open(child.pid)
    readable = asyncio.Event()
    asyncio.get_running_loop().add_reader(ended, readable.set)
    async with asyncio.timeout(60):
        await readable.wait()
    asyncio.get_running_loop().remove_reader(ended)
    os.close(ended)
    assert child.pid is None
    assert await child.thumbnail(picture())
    await child.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it looks once a second")
def test_the_child_dies_with_its_parent_also_in_the_middle_of_a_picture():
    """A parent starts a child, gives it half a picture to wait for, and is killed."""
    script = """
import subprocess, sys, os, time
command = [sys.executable, "-m", "services.storage.decoder", str(os.getpid())]
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(b"P" + (0).to_bytes(8)); child.stdin.flush(); child.stdout.read(5)
child.stdin.write(b"T" + (1000).to_bytes(8)); child.stdin.flush()
spare = os.dup(child.stdin.fileno()); os.set_inheritable(spare, True)
subprocess.Popen(["sleep", "60"], close_fds=False)  # keeps the pipe open: no end of input
print(child.pid, flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        pid = int(parent.stdout.readline())
        ended = os.pidfd_open(pid)
        parent.kill()
        parent.wait()
        assert _ends(ended), "the child lives on"
    finally:
        os.killpg(parent.pid, signal.SIGKILL)
        parent.stdin.close()
        parent.stdout.close()


def test_a_child_whose_parent_is_already_dead_ends_at_once():
    command = [sys.executable, "-m", "services.storage.decoder", "1"]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False, timeout=120)
    assert done.returncode == 1


async def test_the_child_has_limits_and_no_secret(child, monkeypatch):
    monkeypatch.setenv("SERVICE_SECRET", "not for children")
    await child.placeholder()
    proc = Path(f"/proc/{child.pid}")
    if not proc.exists():
        pytest.skip("there is no /proc here")
    assert b"SECRET" not in (proc / "environ").read_bytes()
    limits = {
        line[:26].strip(): line[26:].split()[0]
        for line in (proc / "limits").read_text().splitlines()
    }
    assert limits["Max address space"] == str(1024**3)
    assert limits["Max core file size"] == limits["Max file size"] == "0"
    assert int(limits["Max cpu time"]) < 15


def _ends(pidfd: int) -> bool:
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    try:
        return bool(poll.poll(10_000))
    finally:
        os.close(pidfd)


async def test_it_is_shown_where_it_cannot_be_kept(client, folder):
    asset = (await client.upload(picture())).asset
    (folder / "tmp").rmdir()  # nothing more can be written
    header, content = await client.download(link_of(asset), thumbnail=True)
    assert not header.stand_in
    assert max(decoded(content).size) == 64
