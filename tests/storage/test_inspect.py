"""Headers, read byte by byte; the picture is never decoded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.storage.inspect import UNREADABLE, Inspector, Picture
from tests.storage.pictures import PNG, chunk, gif, picture, png_claiming, svg

PROLOGUE = (
    b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\n<!-- a drawing program -->\n'
    b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/'
    b'svg11.dtd" [<!ENTITY ns "http://ns.example/">]>\n\n'
)
KINDS = {
    "png": ("image/png", picture("PNG")),
    "jpeg": ("image/jpeg", picture("JPEG")),
    "progressive jpeg": ("image/jpeg", picture("JPEG", progressive=True)),
    "jpeg with comment": ("image/jpeg", picture("JPEG", comment=b"\xff\xd9" * 9000)),
    "webp": ("image/webp", picture("WEBP")),
    "lossless webp": ("image/webp", picture("WEBP", lossless=True)),
    "extended webp": ("image/webp", picture("WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")),
    "gif": ("image/gif", picture("GIF")),
    "animated gif": ("image/gif", gif()),
    "svg": ("image/svg+xml", svg()),
    "svg with a prologue": ("image/svg+xml", PROLOGUE + svg()),
}


LAUGHS = b'<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'


def inspected(content: bytes, step: int = 65_536) -> Inspector:
    inspector = Inspector()
    for at in range(0, len(content), step):
        inspector.feed(content[at : at + step])
    inspector.end()
    return inspector


@pytest.mark.parametrize("step", [1, 7, 65_536])
@pytest.mark.parametrize("kind", KINDS)
def test_type_and_size_come_from_the_bytes_in_whatever_pieces(kind, step):
    media_type, content = KINDS[kind]
    assert inspected(content, step).picture == Picture(media_type, 64, 48, readable=True)


@pytest.mark.parametrize("sixteenths", range(16))
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_is_cut_short_is_unreadable(kind, sixteenths):
    content = KINDS[kind][1]
    assert inspected(content[: len(content) * sixteenths // 16]).picture == UNREADABLE
    assert inspected(content[:-1]).picture == UNREADABLE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG",
        b"<!doctype html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<svg width='9' height='9'></svg>",
        b"<html xmlns='http://www.w3.org/1999/xhtml'><svg width='9' height='9'/></html>",
        b"   \n   \n   \n  <!doctype html><title>x</title>",
        svg('width="100%" height="100%"'),
        svg('viewBox="0 0 0 9"'),
        svg('viewBox="0 0 9"'),
        svg('width="1e9" height="1e9"'),
        svg('width="99999999999" height="9"'),
        svg(inside="<g>"),
        svg(inside="&undefined;"),
        LAUGHS + svg(inside="&b;"),
        b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + svg(inside="&x;"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"\0\0\0\x1cftypheic\0\0\0\0mif1heic",
        b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff" + b"\0" * 64,
        b"RIFF\x0c\0\0\0WEBPJUNK" + b"\0" * 64,
        PNG + chunk(b"tEXt", b"no header first") + chunk(b"IEND"),
        PNG + b"\0\0\0\x0dIHDR",
        b"\xff\xd8\xff\xc0\0\0\0\0\0\0\0\0",
        b"\xff\xd8\xff\xda\0\x02" + b"\0" * 60 + b"\xff\xd9",
        b"GIF89a\1\0\1\0\0\0\0",
        png_claiming(0, 0),
    ],
    ids=lambda content: repr(content[:24]),
)
def test_what_is_no_picture_is_told_apart(content):
    assert inspected(content).picture == UNREADABLE


def test_a_lying_header_is_known_before_the_rest_has_come():
    inspector = Inspector()
    inspector.feed(png_claiming(65_535, 65_535)[:33])
    assert inspector.size == (65_535, 65_535)


def test_a_picture_with_a_tail_is_still_that_picture_and_nothing_else():
    polyglot = picture("PNG") + b"PK\x03\x04<script>alert(1)</script>"
    assert inspected(polyglot).picture == Picture("image/png", 64, 48, readable=True)


def test_endless_tiny_segments_are_given_up():
    segments = chunk(b"IDAT") * 200_000
    inspector = inspected(png_claiming(1, 1)[:33] + segments + chunk(b"IEND"))
    assert inspector.picture == UNREADABLE


def test_a_big_animation_is_no_hostile_one():
    """Sixteen frames of 8 million pixels are some 64 MB, in sub-blocks of 255 bytes."""
    frame = (b"\xff" + bytes(255)) * (4 << 12) + b"\0"
    content = gif((3840, 2160), 16, block=frame)
    assert inspected(content).picture == Picture("image/gif", 3840, 2160, readable=True)


@pytest.mark.parametrize(
    ("frames", "block"),
    [(10_000, b"\2D\1\0"), (1, b"\1\0" * 5_000_000 + b"\0")],
    ids=["frames", "sub-blocks"],
)
def test_an_animation_without_end_is_given_up(frames, block):
    assert inspected(gif(frames=frames, block=block)).picture == UNREADABLE


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="300" height="200"', (300, 200)),
        ('width="300px" height="200.4px" viewBox="0 0 9 9"', (300, 200)),
        ('width="1in" height="72pt"', (96, 96)),
        ('width="25.4mm" height="2.54cm"', (96, 96)),
        ('viewBox="0 0 2048 1024"', (2048, 1024)),
        ('viewBox="-5,-5,20.0,10.0"', (20, 10)),
        ('width="100%" height="100%" viewBox="0 0 64 48"', (64, 48)),
        ('width="300" viewBox="0 0 64 48"', (64, 48)),
    ],
)
def test_an_svg_says_how_large_it_wants_to_be(attributes, size):
    found = inspected(svg(attributes)).picture
    assert found == Picture("image/svg+xml", *size, readable=True)


def test_an_svg_of_endless_elements_is_given_up():
    assert inspected(svg(inside="<g/>" * 249_000)).picture.readable
    assert inspected(svg(inside="<g/>" * 251_000)).picture == UNREADABLE


@given(st.binary(max_size=300), st.sampled_from(sorted(KINDS)), st.integers(0, 400))
def test_no_bytes_make_it_fail(junk, kind, kept):
    head = KINDS[kind][1][:kept]
    whole, in_pieces = inspected(head + junk), inspected(head + junk, 3)
    assert whole.picture == in_pieces.picture
