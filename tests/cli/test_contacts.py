"""The contact sheet: a row a model, and a grey square where no picture came."""

import io
from pathlib import Path

import httpx
from PIL import Image

from cli.contacts import Sheet


def picture(colour: str) -> httpx.Response:
    file = io.BytesIO()
    Image.new("RGB", (640, 320), colour).save(file, "WEBP", lossless=True)
    return httpx.Response(200, content=file.getvalue())


ANSWERS = {
    "/red": picture("#ff0000"),
    "/gone": httpx.Response(404),
    "/page": httpx.Response(200, text="<html>"),
    "/cut": httpx.Response(200, content=picture("#00ff00").content[:40]),
}


def test_what_brings_no_picture_is_grey_and_ends_nothing(tmp_path: Path) -> None:
    sheet = Sheet(httpx.MockTransport(lambda request: ANSWERS[request.url.path]))
    sheet.add("m", [(path, f"http://edge.test{path}") for path in ANSWERS])
    sheet.save(tmp_path / "made" / "sheet.png")
    with Image.open(tmp_path / "made" / "sheet.png") as made:
        found = [made.convert("RGB").getpixel((232 + 124 * place, 110)) for place in range(4)]
    assert found == [(255, 0, 0), *[(201, 197, 187)] * 3]


def test_a_picture_of_shapes_is_told_from_one_that_did_not_come(tmp_path: Path) -> None:
    drawn = httpx.Response(200, text="<svg/>", headers={"Content-Type": "image/svg+xml"})
    sheet = Sheet(httpx.MockTransport(lambda _request: drawn))
    sheet.add("m", [("plain", "http://edge.test/i/x/thumbnail")])
    sheet.save(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as made:
        square = made.convert("RGB").crop((176, 12, 176 + 112, 12 + 112))
    colours = square.getcolors(1 << 16) or []
    assert square.getpixel((8, 8)) == (255, 255, 255)
    assert (27, 29, 42) in {colour for _times, colour in colours}  # the ink of its label
