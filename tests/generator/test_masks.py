"""Masks the other way round, in the one form in which storage prepares them."""

import io

import pytest
from PIL import Image

from services.generator import masks
from services.generator import provider as seam
from services.storage import decoder


def prepared(size: tuple[int, int] = (70, 50)) -> tuple[Image.Image, bytes]:
    """A mask with a white box in it, and its prepared file."""
    drawn, out = Image.new("L", size), io.BytesIO()
    drawn.paste(255, (10, 10, 30, 20))
    drawn.save(out, "PNG")
    return drawn, decoder.mask(out.getvalue())


@pytest.mark.parametrize("size", [(70, 50), (1, 1), (4096, 3)])
def test_black_and_white_change_and_nothing_else(size):
    drawn, content = prepared(size)
    other = Image.open(io.BytesIO(masks.inverted(content)))
    other.load()
    assert (other.mode, other.size) == ("L", size)
    assert other.tobytes() == bytes(255 - value for value in drawn.tobytes())


def test_twice_is_the_mask_itself():
    _drawn, content = prepared()
    assert masks.inverted(masks.inverted(content)) == content


@pytest.mark.parametrize("size", [(70, 50), (1, 1), (4096, 3)])
def test_what_is_white_is_transparent_to_those_who_want_it_so(size):
    drawn, content = prepared(size)
    with Image.open(io.BytesIO(masks.alpha(content))) as other:
        other.load()
        assert (other.format, other.mode, other.size) == ("PNG", "RGBA", size)
        assert other.getchannel("A").tobytes() == bytes(255 - value for value in drawn.tobytes())


def by_pillow(mode: str) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").convert(mode).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", prepared()[1][:-30], prepared()[1][:60], by_pillow("L"), by_pillow("1")],
    ids=["nothing", "text", "cut", "head", "filtered", "bits"],
)
@pytest.mark.parametrize("turned", [masks.inverted, masks.alpha])
def test_what_was_not_prepared_is_refused_and_not_decoded(content, turned):
    with pytest.raises(seam.Unfit):
        turned(content)
