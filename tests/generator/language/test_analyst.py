"""The built-in analyst says what can be measured in a picture, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from services.generator.language.builtin.analyst import OPENING, analyze

NAVY, SAND, RED = (20, 32, 76), (217, 191, 145), (216, 36, 40)


def look(picture: Image.Image):
    return analyze(picture.tobytes(), *picture.size)


def plain(colour=(128, 128, 128), size=(120, 80)) -> Image.Image:
    return Image.new("RGB", size, colour)


def stripes() -> Image.Image:
    """60 % navy, 30 % sand and 10 % red, with level edges between them."""
    picture = plain(NAVY, (100, 100))
    picture.paste(SAND, (0, 60, 100, 90))
    picture.paste(RED, (0, 90, 100, 100))
    return picture


def noise(size=(256, 256)) -> Image.Image:
    """Every channel of every pixel by a generator of its own; the same each time."""
    value, drawn = 7, bytearray()
    for _ in range(3 * size[0] * size[1]):
        value = (value * 1103515245 + 12345) % (1 << 31)
        drawn.append(value >> 16 & 255)
    return Image.frombytes("RGB", size, bytes(drawn))


def gradient(size=(200, 200)) -> Image.Image:
    ramp = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (ramp, ramp.rotate(90), Image.new("L", size, 90)))


def lines(size=(240, 240)) -> Image.Image:
    picture = plain((250, 250, 250), size)
    pen = ImageDraw.Draw(picture)
    for place in range(20, 220, 25):
        pen.line((place, 20, 220 - place, 210), fill=(20, 20, 20), width=2)
    return picture


def test_flat_colours_are_told_as_they_are_by_their_share():
    found = look(stripes())
    assert [(each.hex, each.share) for each in found.palette] == [
        ("#14204c", 0.6), ("#d9bf91", 0.3), ("#d82428", 0.1),
    ]  # fmt: skip
    assert "navy 60%, sand 30%, red 10%" in found.description
    assert "palette of navy, sand and red" in found.suggested_prompt


def test_shades_that_look_alike_are_one_colour():
    picture = plain(NAVY, (100, 100))
    for step in range(40):
        picture.paste((20 + step % 5, 32 + step % 3, 76 + step % 7), (0, step, 100, step + 1))
    picture.paste(SAND, (0, 50, 100, 100))
    assert [round(each.share, 2) for each in look(picture).palette] == [0.5, 0.5]


def test_soft_edges_do_not_change_the_colour_of_an_area():
    picture = stripes()
    picture.paste((26, 38, 84), (0, 0, 100, 25))
    assert look(picture).palette[0].hex == "#14204c"


def test_a_small_bright_accent_is_not_lost_in_a_noisy_picture():
    picture = noise((200, 200)).point([40 + value // 16 for value in range(256)] * 3)
    picture.paste(RED, (90, 90, 130, 130))
    assert ("#d82428", 0.04) in [(each.hex, each.share) for each in look(picture).palette]


def test_the_same_picture_is_told_the_same_at_any_size():
    small, large = stripes(), stripes().resize((1500, 1500), Image.Resampling.NEAREST)
    assert look(small) == look(small)
    assert look(large).styles == look(small).styles
    for one, other in zip(look(large).palette, look(small).palette, strict=True):
        assert (one.hex, one.share) == (other.hex, pytest.approx(other.share, abs=0.01))


def test_it_says_what_it_is():
    assert look(stripes()).description.startswith(OPENING)
    assert OPENING == "Built-in analysis: measured, not recognised."


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ((200, 200), "Square format, about 1:1."),
        ((192, 108), "Landscape format, about 16:9."),
        ((108, 192), "Portrait format, about 9:16."),
        ((150, 100), "Landscape format, about 3:2."),
    ],
)
def test_the_format_is_that_of_the_picture(size, told):
    assert told in look(plain(size=size)).description


@pytest.mark.parametrize(
    ("picture", "style"),
    [
        (plain((240, 240, 240)), "high key"),
        (plain((30, 30, 30)), "low key"),
        (plain((128, 128, 128)), "monochrome"),
        (plain((230, 120, 20)), "warm"),
        (plain((20, 90, 230)), "cool"),
        (plain((230, 60, 20)), "vivid"),
        (plain((120, 128, 140)), "muted"),
        (noise(), "photo-like"),
        (gradient(), "soft gradients"),
        (lines(), "line art"),
        (stripes(), "flat graphic"),
        (lines(), "high contrast"),
        (plain(), "minimal"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_style_is_told_by_its_measures(picture, style):
    found = look(picture)
    assert style in found.styles
    assert style in found.suggested_prompt


@pytest.mark.parametrize(
    ("picture", "style"),
    [
        (plain((230, 120, 20)), "cool"),
        (plain((128, 128, 128)), "warm"),
        (plain((128, 128, 128)), "high key"),
        (gradient(), "flat graphic"),
        (gradient(), "photo-like"),
        (noise(), "line art"),
        (noise(), "minimal"),
        (lines(), "photo-like"),
        (stripes(), "line art"),
        (noise(), "symmetric"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_style_is_not_told_of_other_pictures(picture, style):
    assert style not in look(picture).styles


@pytest.mark.parametrize(
    ("box", "told"),
    [
        ((0, 80, 40, 120), "towards the bottom left"),
        ((80, 0, 120, 40), "towards the top right"),
        ((40, 40, 80, 80), "in the centre"),
        ((0, 80, 120, 120), "in the bottom third"),
        ((80, 0, 120, 120), "in the right third"),
        ((40, 0, 80, 120), "along the upright middle"),
        ((0, 0, 120, 120), "Detail is spread evenly"),
        ((0, 0, 0, 0), "There is no detail to speak of"),
    ],
    ids=str,
)
def test_the_place_of_the_detail_is_told(box, told):
    picture = plain(size=(120, 120))
    wide, high = box[2] - box[0], box[3] - box[1]
    if wide:
        picture.paste(noise((wide, high)), box)
    assert told in look(picture).description


def test_a_level_edge_across_the_picture_is_told_with_its_height():
    picture = plain((150, 190, 230), (120, 120))
    picture.paste((30, 60, 50), (0, 78, 120, 120))
    found = look(picture)
    assert "A level edge crosses the picture at 65% of its height." in found.description
    assert "low horizon" in found.suggested_prompt
    assert "horizon" not in look(picture.rotate(90)).suggested_prompt
    picture.paste((30, 60, 50), (0, 0, 50, 120))  # now half of the columns have no edge
    assert "horizon" not in look(picture).suggested_prompt


def test_halves_that_mirror_each_other_are_told():
    half = noise((60, 120)).resize((10, 20)).resize((60, 120))
    picture = plain(size=(120, 120))
    picture.paste(half, (0, 0))
    assert "symmetric" not in look(picture).styles
    picture.paste(half.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (60, 0))
    assert "symmetric" in look(picture).styles


@given(data=st.binary(min_size=3, max_size=300), wide=st.booleans())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_pixels_make_a_finding(data, wide):
    long = len(data) // 3
    size = (long, 1) if wide else (1, long)
    found = analyze(data[: 3 * long], *size)
    assert found.palette
    assert sum(each.share for each in found.palette) == pytest.approx(1, abs=0.07)


@pytest.mark.parametrize("size", [(3000, 2), (2, 3000), (1, 1)])
def test_extreme_shapes_make_a_finding(size):
    assert look(plain(size=size)).styles


@pytest.mark.parametrize("size", [(0, 0), (2, 2), (-1, -1), (4, 1)])
def test_bytes_of_another_size_are_refused(size):
    with pytest.raises(ValueError, match="are not"):
        analyze(bytes(9), *size)
