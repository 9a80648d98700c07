"""The process: how it starts, how it says that something is away, how it leaves."""

import asyncio
import socket
import sys
from contextlib import asynccontextmanager

import httpx
import pytest

from chassis.errors import Exhausted, Unavailable
from gateway.compose import listen, serve
from tests import patient
from tests.gateway.scripted import CUT, HANG, Scripted, event, settings
from tests.ports import free_port

WISH = {"prompt": "a lighthouse"}


@asynccontextmanager
async def serving(services=None, **change):
    """Serve in this loop; yield a client and what stops it."""
    port = free_port()
    found = settings(port) if services is None else services.settings
    here = {name: getattr(found, name) for name in found.__dataclass_fields__}
    stop = asyncio.Event()
    running = asyncio.create_task(serve(type(found)(**(here | {"port": port} | change)), stop))
    transport = httpx.AsyncHTTPTransport(retries=8)
    async with patient.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", transport=transport
    ) as http:
        try:
            yield http, stop
        finally:
            stop.set()
            await running


async def test_a_process_that_stops_tells_its_streams_to_come_back(stage):
    services = await stage.play(Scripted([event(1), HANG]))
    async with serving(services) as (http, stop):
        async with http.stream("POST", "/images/generate/stream", json=WISH) as answer:
            assert answer.status_code == 200
            assert answer.headers["location"] == "/images/jobs/7"
            assert "content-encoding" not in answer.headers
            said = ""
            async for text in answer.aiter_text():
                said += text
                if "id: 1" in said:
                    stop.set()
        assert said.endswith("retry: 250\n\n")


async def test_what_is_wrong_before_the_first_event_is_a_status_and_no_stream(stage):
    full = Exhausted("DISK_FULL", "Free some space.", retry_after=30)
    services = await stage.play(Scripted([full]))
    async with serving(services) as (http, _):
        answer = await http.post("/images/generate/stream", json=WISH)
    assert answer.status_code == 507
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "30"
    assert answer.json()["detail"] == "Free some space."


async def test_a_generator_that_dies_before_the_first_event_is_asked_again_for_the_same_job(stage):
    script = Scripted([CUT], [CUT], [event(1), event(2, kind="completed")])
    services = await stage.play(script)
    async with serving(services) as (http, _):
        answer = await http.post("/images/generate/stream", json=WISH)
    assert answer.text.count("event: ") == 2
    assert len({one.request_id for one in script.asked}) == 1
    assert script.asked[0].several


async def test_a_browser_on_a_foreign_page_starts_nothing(stage):
    script = Scripted()
    services = await stage.play(script)
    async with serving(services) as (http, _):
        foreign = {"Sec-Fetch-Site": "cross-site"}
        answer = await http.post("/images/generate", json=WISH, headers=foreign)
        form = await http.post("/images/generate", content='{"prompt": "a"}')
    assert answer.status_code == 403
    assert form.status_code == 400  # what a foreign page could send without asking first
    assert not script.asked


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_a_mebibyte_is_refused(stage, chunked):
    services = await stage.play(Scripted())
    body = b'{"prompt": "' + b"a" * 1024 * 1024 + b'"}'

    async def pieces():
        yield body

    async with serving(services) as (http, _):
        json = {"Content-Type": "application/json"}
        content = pieces() if chunked else body
        answer = await http.post("/images/generate", content=content, headers=json)
    assert answer.status_code == 413
    assert "1 MiB" in answer.json()["detail"]


async def test_while_a_process_leaves_each_answer_is_the_last_of_its_connection():
    async with serving(lame=3.0) as (http, stop):
        before = await http.get("/healthz")
        stop.set()
        await asyncio.sleep(0)
        while "connection" not in (answer := await http.get("/healthz")).headers:
            pass
        again = await http.get("/healthz")
    assert "connection" not in before.headers
    assert answer.headers["connection"] == again.headers["connection"] == "close"
    assert answer.status_code == again.status_code == 200


async def test_readyz_says_who_is_missing_and_healthz_that_we_live():
    async with serving() as (http, _):
        alive, ready = await http.get("/healthz"), await http.get("/readyz")
    assert alive.status_code == 200
    assert ready.status_code == 503
    assert set(ready.json()["fields"]) == {"catalog", "storage", "generator"}


async def test_readyz_says_that_the_vault_cannot_be_written_until_it_can(stage):
    script = Scripted()
    script.unwritable = Unavailable("VAULT_UNAVAILABLE", "The vault cannot be written: mount it.")
    services = await stage.play(script)
    async with serving(services) as (http, _):
        sick = await http.get("/readyz")
        script.unwritable = None
        well = await http.get("/readyz")
    assert (sick.status_code, well.status_code) == (503, 200)
    assert sick.json()["fields"] == {"storage": "The vault cannot be written: mount it."}
    assert "storage: The vault cannot be written: mount it. `studio ps`" in sick.json()["detail"]
    assert well.json()["services"] == {"catalog": True, "storage": True, "generator": True}


async def test_a_path_or_method_that_is_none_is_a_problem():
    async with serving() as (http, _):
        nowhere, wrong = await http.get("/nowhere"), await http.put("/images/models")
    assert (nowhere.status_code, wrong.status_code) == (404, 405)
    assert wrong.headers["allow"] == "GET"
    assert nowhere.json()["code"] == "RESOURCE_UNKNOWN"
    for answer in (nowhere, wrong):
        assert answer.headers["content-type"] == "application/problem+json"


async def test_requests_are_counted_by_route():
    async with serving() as (http, _):
        await http.get("/healthz")
        found = (await http.get("/metrics")).text
    assert 'studio_http_seconds_count{method="GET",route="/healthz",status="200"}' in found


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")
async def test_a_connection_that_takes_nothing_is_closed_with_what_it_was_to_take():
    lost = asyncio.Event()

    class Sender(asyncio.Protocol):
        def connection_made(self, transport):
            transport.write(b"x" * 64 * 1024 * 1024)
            transport.close()  # politely: once all is taken

        def connection_lost(self, _error):
            lost.set()

    port, loop = free_port(), asyncio.get_running_loop()
    server = await loop.create_server(Sender, sock=listen("127.0.0.1", port, stuck=1.0))
    with socket.create_connection(("127.0.0.1", port)):
        await asyncio.wait_for(lost.wait(), 60)
    server.close()


async def test_a_port_that_is_taken_is_named_with_its_setting():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"port {port} .* GATEWAY_PORT"):
            await serve(settings(port), asyncio.Event())
