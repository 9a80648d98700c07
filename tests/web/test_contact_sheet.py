"""The page of the contact sheet, in a real browser: an SVG is drawn, and does nothing else."""

import asyncio
import http.server
import io
import threading

import httpx
import pytest
from PIL import Image

from cli.contacts import Sheet

pytestmark = pytest.mark.asyncio(loop_scope="module")
SVG = """
<svg xmlns="http://www.w3.org/2000/svg" width="400" height="400">
  <script>document.documentElement.setAttribute("data-ran", "yes"); fetch("{0}/fetched")</script>
  <rect width="400" height="400" fill="#0a7f2e"/>
  <image href="{0}/image" width="9" height="9"/>
</svg>
"""


@pytest.fixture
def elsewhere():
    """A server that nothing may ask, and what it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


async def test_an_svg_is_drawn_runs_no_script_and_loads_nothing(browser, elsewhere, tmp_path):
    url, asked = elsewhere
    drawn = httpx.Response(
        200, text=SVG.format(url), headers={"Content-Type": "image/svg+xml; charset=utf-8"}
    )
    sheet = Sheet(httpx.MockTransport(lambda _request: drawn))
    await asyncio.to_thread(sheet.add, "vector <b>", [("plain", "http://edge.test/i/x/thumbnail")])
    page = sheet.save(tmp_path / "sheet.png")
    window = await browser.new_page()
    await window.goto(page.as_uri(), wait_until="load")
    image = window.locator("img")
    assert await image.evaluate("one => one.decode().then(() => one.naturalWidth)") == 400
    with Image.open(io.BytesIO(await image.screenshot())) as shot:
        assert shot.convert("RGB").getpixel((shot.width // 2, shot.height // 2)) == (10, 127, 46)
    assert await window.locator("th").inner_text() == "vector <b>"
    await window.close()
    assert asked == []
