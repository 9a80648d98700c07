"""Transformations carried out: sizes, what is kept, formats, and what is refused."""

import io

import pytest
from PIL import Image, ImageDraw

from lab.cloudinary.pictures import inspect, perceptual_hash
from lab.cloudinary.refusals import Refusal
from lab.cloudinary.transformations import derive


def drawn(width: int = 400, height: int = 200, name: str = "PNG", mode: str = "RGB") -> bytes:
    """Red on the left half, blue on the right."""
    image = Image.new(mode, (width, height), "red")
    ImageDraw.Draw(image).rectangle((width // 2, 0, width, height), fill="blue")
    file = io.BytesIO()
    image.save(file, name)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize(
    ("transformation", "size"),
    [
        ("c_scale,w_100", (100, 50)),
        ("c_scale,h_100", (200, 100)),
        ("w_100,h_100", (100, 100)),
        ("c_scale,w_0.5", (200, 100)),
        ("c_scale,w_2.0", (800, 400)),
        ("c_fill,h_256,w_256", (256, 256)),
        ("c_thumb,g_face,w_90,h_120", (90, 120)),
        ("c_limit,w_100,h_100", (100, 50)),
        ("c_limit,w_1000,h_1000", (400, 200)),
        ("c_fit,w_1000,h_1000", (1000, 500)),
        ("c_pad,w_300,h_300,b_white", (300, 300)),
        ("c_crop,w_50,h_60,g_north_west", (50, 60)),
        ("c_crop,w_5000", (400, 200)),
        ("a_90", (200, 400)),
        ("c_fill,w_100,h_100/c_scale,w_10", (10, 10)),
        ("f_auto,q_auto", (400, 200)),
    ],
)
def test_sizes(transformation, size):
    derived = derive(drawn(), transformation)
    assert (derived.width, derived.height) == size
    assert opened(derived.content).size == size


def test_gravity_says_which_part_is_kept():
    west = opened(derive(drawn(), "c_fill,g_west,w_100,h_100").content).convert("RGB")
    east = opened(derive(drawn(), "c_crop,g_east,w_100,h_100").content).convert("RGB")
    assert west.getpixel((50, 50)) == (255, 0, 0)
    assert east.getpixel((50, 50)) == (0, 0, 255)


def test_padding_has_the_colour_asked_for():
    padded = opened(derive(drawn(), "c_pad,w_300,h_300,b_rgb:00ff00").content).convert("RGB")
    assert padded.getpixel((150, 10)) == (0, 255, 0)
    clear = opened(derive(drawn(mode="RGBA"), "c_pad,w_300,h_300").content)
    assert clear.convert("RGBA").getpixel((150, 10))[3] == 0


@pytest.mark.parametrize("name", ["png", "jpg", "webp", "gif", "avif", "bmp"])
def test_formats_are_real(name):
    derived = derive(drawn(mode="RGBA"), f"c_scale,w_64/f_{name}")
    assert derived.format == name
    assert inspect(derived.content).format == name


@pytest.mark.parametrize(
    ("accept", "name"), [("image/avif,image/webp,*/*", "webp"), ("image/png", "png"), ("", "png")]
)
def test_f_auto_follows_what_the_reader_accepts(accept, name):
    assert derive(drawn(), "f_auto", accept=accept).format == name


def test_quality_changes_what_a_file_weighs():
    noise = io.BytesIO()
    Image.effect_noise((256, 256), 80).convert("RGB").save(noise, "PNG")
    low, high = (derive(noise.getvalue(), f"f_jpg,q_{q}").content for q in (20, 95))
    assert len(low) < len(high) / 2


@pytest.mark.parametrize(
    "part",
    ["c_spin", "w_0", "w_-1", "w_x", "h_1e3", "q_0", "q_101", "f_exe", "g_up", "b_no", "e_sepia",
     "l_text:arial_20:hi", "auto", "w"],
)  # fmt: skip
def test_what_cannot_be_carried_out_is_refused(part):
    with pytest.raises(Refusal, match="Invalid transformation component - ") as caught:
        derive(drawn(), f"c_fill,w_9,h_9/{part}")
    assert caught.value.status == 400


def test_nothing_gets_larger_than_25_megapixels():
    with pytest.raises(Refusal, match="25 Megapixels"):
        derive(drawn(), "w_9999,h_9999")


@pytest.mark.parametrize("content", [b"", b"no image", drawn()[:-200], b"GIF89a"])
def test_what_is_no_whole_image_is_refused(content):
    with pytest.raises(Refusal, match="Invalid image file"):
        inspect(content)


def test_the_perceptual_hash_survives_scaling_and_tells_pictures_apart():
    def apart(one: str, other: str) -> int:
        return (int(one, 16) ^ int(other, 16)).bit_count()

    one = perceptual_hash(drawn())
    noise = io.BytesIO()
    Image.effect_noise((256, 256), 80).save(noise, "PNG")
    assert len(one) == 16
    assert apart(one, perceptual_hash(drawn(800, 400))) <= 10
    assert apart(one, perceptual_hash(noise.getvalue())) > 10
