"""The examples of docs/browsers.md, as they stand there, in a real browser."""

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests import patient
from tests.system.stack import running_stack

PAGE = Path(__file__).resolve().parents[2] / "docs" / "browsers.md"
WITHOUT, WITH = re.findall(r"```js\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
pytestmark = pytest.mark.asyncio(loop_scope="module")

ENDED = "() => seen.some((one) => one.kind === 'completed')"
DURABLE = "() => seen.map((one) => one.id).filter(Boolean)"


def started(url: str, key: str = "") -> str:
    """Start a job that takes some seconds."""
    body = {"prompt": "a windmill", "parameters": {"sketch": {"seconds": 4}}}
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = patient.post(f"{url}/images/generate", json=body, headers=headers)
    return str(answer.raise_for_status().json()["job_id"])


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """A page on another port of this machine."""
    (tmp_path / "index.html").write_text("<title>elsewhere</title>")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


async def test_an_event_source_follows_a_job_where_no_key_is_asked_for(open_page, stack):
    page = await open_page()
    job = started(stack.url)
    await page.evaluate(
        f"(job) => {{ {WITHOUT} window.seen = []; watch(job, (e) => seen.push(e)); }}", job
    )
    await page.wait_for_function(ENDED)
    told = await page.evaluate(DURABLE)
    assert sorted({*told}) == [*range(1, max(told) + 1)]


async def test_with_a_key_a_page_elsewhere_follows_it_over_a_gateway_that_dies(browser, elsewhere):
    with running_stack(AUTH="keys") as stack:
        made = stack.studio("keys", "create", "page")
        key = re.search(r"isk_\w+", made.stdout)[0]
        job, page = started(stack.url, key), await browser.new_page()
        await page.goto(elsewhere)
        await page.add_script_tag(content=WITH)
        await page.evaluate(
            """([studio, key, job]) => {
              window.seen = [];
              (async () => { for await (const one of events(studio, key, job)) seen.push(one); })();
            }""",
            [stack.url, key, job],
        )
        await page.wait_for_function("() => seen.some((one) => one.kind === 'progress')")
        stack.kill_and_await("gateway")
        await page.wait_for_function(ENDED)
        told = await page.evaluate(DURABLE)
        refused = await page.evaluate(
            "([studio, job]) => events(studio, 'isk_none', job).next().catch((e) => e.message)",
            [stack.url, job],
        )
        await page.close()
    assert told == [*range(1, len(told) + 1)]
    assert "key" in refused
