"""What stands around a request, by itself: what it logs, and what it must not."""

import pytest
from structlog.testing import capture_logs

from chassis.foreign import Guard
from gateway.edge import Edge
from gateway.sse import Streams

START = {"type": "http.response.start", "status": 200, "headers": []}


async def receive():
    return {"type": "http.disconnect"}


def collector(sent):
    """Return what keeps in *sent* each message of the answer."""

    async def send(message):
        sent.append(message)

    return send


async def breaks(scope, receive, send):
    """Fail, before the answer or in the middle of it."""
    if "late" in scope["query_string"].decode():
        await send(START)
    raise RuntimeError("a defect")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/i/hush", "/i/{link}"),
        ("/i/hush/thumbnail", "/i/{link}"),
        ("/i/hush?late", "/i/{link}"),
        ("/images/jobs/7", "/images/jobs/7"),
        ("/images", "/images"),
    ],
)
async def test_a_picture_s_link_is_in_no_log_since_it_opens_the_picture(path, shown):
    bare, _, query = path.partition("?")
    scope = {"type": "http", "method": "GET", "path": bare, "query_string": query.encode()}
    sent = []
    with capture_logs() as lines:
        await Edge(breaks, Guard(), Streams())(scope | {"headers": []}, receive, collector(sent))
    assert sent[0]["status"] == (200 if query else 500)
    assert lines
    assert {line["path"] for line in lines} == {shown}
