"""References: what may go to a provider is a user's picture and nothing beside it."""

import asyncio
import io
from contextlib import AsyncExitStack, aclosing
from types import SimpleNamespace

import pytest
from PIL import Image, ImageCms

from chassis.errors import Denied, Invalid, Late, Missing
from chassis.identity import Caller
from imagestudio.storage.v1 import storage_service_pb2 as pb
from services.storage.decoder import LARGEST, mask, reference
from services.storage.fetch import NO_ANSWER, Fetch
from services.storage.references import FETCHED, References, Wanted
from services.storage.sources import Link, Policy, Trouble
from tests.storage.client import ANNA, BERT, PURCHASE, Client
from tests.storage.pictures import decoded, encoded, picture, svg
from tests.storage.test_keeping import leftovers
from tests.storage.vendor import OTHER_PUBLIC, PUBLIC, http, says, vendor_host

CARL = 9


@pytest.fixture
def client(fetching):
    return fetching


def telling(kind: str = "JPEG") -> bytes:
    """A picture that tells where it was taken, on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a camera of SECRET"
    exif.get_ifd(0x8825)[2] = (47.0, 22.0, 33.0)
    return picture(kind, (64, 32), exif=exif)


async def file_of(client, asset) -> bytes:
    return (await client.download(asset.name))[1]


# -- what comes out


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_nothing_goes_out_but_the_pixels_and_they_stand_upright(client, kind):
    content = telling(kind)
    made = decoded(await file_of(client, await client.prepare(content=content)))
    assert made.size == (32, 64)  # it was lying on its side
    assert not made.getexif()
    assert b"SECRET" in content
    assert made.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_a_comment_an_xmp_and_a_profile_do_not_go_out():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made = reference(picture("JPEG", comment=b"SECRET", icc_profile=profile, xmp=b"<x>SECRET</x>"))
    assert b"SECRET" not in made
    assert b"ICC_PROFILE" not in made


def test_no_encoder_takes_over_what_a_decoder_has_found():
    assert b"SECRET" not in reference(picture("JPEG", comment=b"SECRET"))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert b"iCCP" not in reference(picture("PNG", icc_profile=profile))


def test_colours_mean_what_their_profile_says():
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    odd = encoded(Image.new("RGB", (8, 8), (200, 30, 60)), "PNG", icc_profile=swapped)
    assert decoded(reference(odd)).getpixel((4, 4)) == (200, 30, 60)  # no sense: left alone


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (picture("PNG"), ("PNG", "RGB")),
        (picture("JPEG"), ("JPEG", "RGB")),
        (picture("WEBP"), ("JPEG", "RGB")),
        (encoded(Image.new("RGBA", (9, 9), (1, 2, 3, 0)), "WEBP"), ("PNG", "RGBA")),
        (encoded(Image.new("CMYK", (9, 9)), "JPEG"), ("JPEG", "RGB")),
        (encoded(Image.new("I;16", (9, 9)), "PNG"), ("PNG", "RGB")),
    ],
    ids=["png", "jpeg", "webp", "transparent", "cmyk", "16 bit"],
)
def test_a_provider_gets_a_png_or_a_jpeg(content, expected):
    made = decoded(reference(content))
    assert (made.format, made.mode) == expected


def test_what_is_larger_than_any_provider_draws_is_made_smaller():
    made = decoded(reference(encoded(Image.new("L", (LARGEST * 2, 30)), "PNG")))
    assert made.size == (LARGEST, 15)


def test_a_mask_is_white_and_black_whatever_it_was():
    grey = Image.linear_gradient("L")
    for content in (encoded(grey, "PNG"), encoded(grey.convert("RGB"), "JPEG", quality=60)):
        made = decoded(mask(content))
        assert (made.format, made.mode, made.size) == ("PNG", "L", grey.size)
        assert {value for _count, value in made.getcolors()} == {0, 255}
        assert (made.getpixel((9, 0)), made.getpixel((9, 255))) == (0, 255)
    hidden = Image.new("RGBA", (8, 8), (255, 255, 255, 0))
    assert decoded(mask(encoded(hidden, "PNG"))).getcolors() == [(64, 0)]


# -- the same again


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
async def test_the_same_picture_is_the_same_asset_and_a_prepared_one_is_itself(client, kind):
    first = await client.prepare(content=telling(kind))
    assert await client.prepare(content=telling(kind)) == first
    assert await client.prepare(asset=first.name) == first
    assert await client.prepare(content=await file_of(client, first)) != first or kind == "PNG"


async def test_a_picture_that_is_prepared_is_no_mask_yet(client):
    first = await client.prepare(content=picture())
    made = await client.prepare(asset=first.name, mask=True)
    assert made.name != first.name
    assert decoded(await file_of(client, made)).mode == "L"
    assert await client.prepare(asset=made.name, mask=True) == made


async def test_what_was_bought_may_be_a_reference(client):
    bought = (await client.upload(picture("WEBP"), PURCHASE)).asset
    made = await client.prepare(asset=bought.name)
    assert made.media_type == "image/jpeg"
    assert (await client.get(bought.name)) == bought


# -- where it comes from


async def test_a_picture_comes_from_a_url(client, lab):
    lab.scripts = {"/a": http(telling())}
    assert await client.prepare(uri=f"{client.lab}/a") == await client.prepare(content=telling())


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("http://example.com/a.png", "over http: use https"),
        ("https://127.0.0.1/a.png", NO_ANSWER),
        ("https://[::1]/a.png", NO_ANSWER),
        ("https://169.254.169.254/latest/meta-data", NO_ANSWER),
        ("https://example.com:8443/a.png", "port"),
        ("https://user:secret@example.com/a.png", "plain https URL"),
        ("file:///etc/passwd", "plain https URL"),
    ],
)
async def test_a_url_that_may_not_be_asked_is_not(client, folder, uri, why):
    with pytest.raises(Invalid, match="source") as refused:
        await client.prepare(uri=uri)
    assert why in str(refused.value)
    assert "secret" not in str(refused.value)
    assert leftovers(folder) == []


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (http(b"", "404 Not Found"), "404"),
        (http(b"", "503 Busy"), "503"),
        (http(b"<html>no</html>", content_type="text/html"), "page"),
    ],
    ids=["gone", "busy", "page"],
)
async def test_a_url_behind_which_there_is_no_picture_is_said_so(client, lab, script, why):
    lab.scripts = {"/a": script}
    with pytest.raises(Invalid, match=why) as refused:
        await client.prepare(uri=f"{client.lab}/a")
    assert refused.value.fields.keys() == {"source"}


@pytest.fixture
async def internet():
    """All hosts there are, as those see them who may ask any that is public."""
    async with vendor_host() as host:
        host.anywhere = Fetch(policy=Policy(any_host=True), dialer=host.dialer())
        yield host


async def test_any_public_host_may_be_asked_and_a_private_one_never(internet):
    internet.scripts = {"/a": http(picture())}
    link = Link("https://any.replicate.delivery/a", "", None)  # whose it is plays no part
    async with aclosing(internet.anywhere.pictured(link)) as pieces:
        assert b"".join([piece async for piece in pieces]) == picture()
    internet.names = {"pictures.example": [[PUBLIC, "10.0.0.7"]]}
    dialed = len(internet.dialed)
    with pytest.raises(Trouble, match=NO_ANSWER):
        await internet.get("https://pictures.example/a", internet.anywhere)
    assert len(internet.dialed) == dialed


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.7/a",
        "https://inside.example/a",
        "https://nowhere.example/a",
        "https://shut.example/a",
        "https://stranger.example/a",
        "https://any.replicate.delivery/silent",
        "https://any.replicate.delivery/babble",
        "https://any.replicate.delivery/inside",
    ],
)
async def test_who_names_a_host_learns_nothing_of_it_before_it_answers(internet, url):
    """Else anybody could ask which names there are inside, and what listens."""
    internet.names = {
        "inside.example": [["10.0.0.7"]],
        "nowhere.example": [[]],
        "shut.example": [[OTHER_PUBLIC]],
    }
    internet.refusing = {OTHER_PUBLIC}
    internet.scripts = {
        "/babble": says(b"220 a mail server\r\n"),
        "/inside": http(b"", "302 Found", location="https://inside.example/a"),
    }
    with pytest.raises(Trouble) as refused:
        await internet.get(url, internet.anywhere)
    assert str(refused.value) == NO_ANSWER


@pytest.fixture
def slow(lab):
    """The path of a picture that comes when *go* is set; *asked* is released by each who asks."""
    found = SimpleNamespace(path="/slow", asked=asyncio.Semaphore(0), go=asyncio.Event())

    async def come(writer):
        found.asked.release()
        await found.go.wait()
        await http(picture())(writer)

    lab.scripts = {found.path: come}
    yield found
    found.go.set()


def preparing(client, user_id, timeout=120, **wanted):
    request = pb.PrepareReferenceRequest(**wanted)
    ask = client.peer.ask(client.stub.PrepareReference, request, timeout=timeout, user_id=user_id)
    return asyncio.create_task(ask)


async def test_nobody_waits_for_the_dead_urls_of_others(client, slow):
    url = f"{client.lab}{slow.path}"
    dead = [preparing(client, user, uri=url) for user in (ANNA, ANNA, BERT, BERT)]
    for _ in dead:
        await slow.asked.acquire()
    assert await preparing(client, CARL, content=telling())
    last = preparing(client, CARL, uri=url)
    await slow.asked.acquire()
    slow.go.set()
    assert len({answer.asset.name for answer in await asyncio.gather(*dead, last)}) == 1


async def test_so_many_are_downloaded_at_once_and_the_others_wait_as_long_as_their_call(
    client, slow
):
    url = f"{client.lab}{slow.path}"
    users = [user for user in range(20, 20 + FETCHED // 2) for _ in range(2)]
    dead = [preparing(client, user, uri=url) for user in users]
    for _ in dead:
        await slow.asked.acquire()
    waiting = preparing(client, CARL, uri=url)
    assert await preparing(client, CARL, content=telling())  # what is here already need not wait
    assert slow.asked.locked()
    slow.go.set()
    assert len({answer.asset.name for answer in await asyncio.gather(*dead, waiting)}) == 1


async def test_four_are_decoded_at_once_and_the_others_wait():
    references = References(keep=None, assets=None, fetch=None, child=None)
    wanted = Wanted(content=b"no picture at all")
    async with AsyncExitStack() as four:
        for _ in range(4):
            await four.enter_async_context(references.decoding.turn(None))
        fifth = asyncio.create_task(references.prepare(Caller(CARL), wanted))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not fifth.done()
    with pytest.raises(Invalid, match="no whole PNG"):
        await fifth


async def test_nobody_waits_for_pictures_that_come_slowly_but_whoever_named_them(client, slow):
    url = f"{client.lab}{slow.path}"
    first = [preparing(client, ANNA, uri=url) for _ in range(5)]
    for _ in range(2):
        await slow.asked.acquire()
    bert = Client(client.target, BERT)
    assert await bert.prepare(content=telling())
    await bert.close()
    with pytest.raises(Late):
        await preparing(client, ANNA, timeout=0.5, content=telling())
    assert slow.asked.locked()  # the other three of hers wait, and are in nobody's way
    slow.go.set()
    assert len({answer.asset.name for answer in await asyncio.gather(*first)}) == 1


# -- what is refused


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no picture at all", "no whole PNG"),
        (b"\0\0\0\x18ftypheic" + bytes(50), "HEIC"),
        (picture("GIF"), "no whole PNG"),
        (svg(), "no whole PNG"),
        (picture()[:900], "no whole PNG"),
    ],
    ids=["text", "heic", "gif", "svg", "half"],
)
async def test_what_no_provider_takes_is_refused(client, folder, content, why):
    with pytest.raises(Invalid, match=why) as refused:
        await client.prepare(content=content)
    assert refused.value.reason == "IMAGE_UNREADABLE"
    assert leftovers(folder) == []


async def test_too_many_pixels_are_refused_before_they_are_decoded(client):
    with pytest.raises(Invalid) as refused:
        await client.prepare(content=encoded(Image.new("1", (10_000, 5_001)), "PNG"))
    assert refused.value.reason == "IMAGE_TOO_LARGE"


async def test_a_picture_that_only_claims_to_be_one_is_refused_by_the_child(client):
    hollow = bytearray(picture())
    at = hollow.index(b"IDAT") + 8
    hollow[at : at + 40] = bytes(40)
    with pytest.raises(Invalid) as refused:
        await client.prepare(content=bytes(hollow))
    assert refused.value.fields == {"source": "its bytes are damaged"}  # no word of the decoder


async def test_what_it_is_said_to_be_is_checked(client):
    assert await client.prepare(content=picture(), media_type="image/png")
    with pytest.raises(Invalid, match="the bytes are image/png"):
        await client.prepare(content=picture(), media_type="image/jpeg")


async def test_another_users_file_is_not_to_be_found(client):
    asset = await client.prepare(content=picture())
    bert = Client(client.target, BERT)
    with pytest.raises(Missing):
        await bert.prepare(asset=asset.name)
    await bert.close()


async def test_nobody_prepares_but_a_service(client):
    anna = Client(client.target, key="isk_anna")
    with pytest.raises(Denied):
        await anna.prepare(content=picture())
    await anna.close()


async def test_a_reference_is_an_asset_of_the_user_like_any_other(client, catalog):
    asset = await client.prepare(content=picture())
    assert len(catalog.files) == 1
    await client.delete(asset.name)
    assert not catalog.files


def test_of_a_moving_picture_the_first_frame_goes_out():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    red, _green, blue = decoded(reference(out.getvalue())).convert("RGB").getpixel((4, 4))
    assert (red > 200, blue < 60) == (True, True)
