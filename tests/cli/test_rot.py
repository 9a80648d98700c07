"""What `studio rot` counts: every link that is told on any way, and each that dies, once."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cli import rot
from cli.edge import Edge, Trouble
from cli.lab import Lab

STUDIO, LAB = "http://edge.test", "http://lab.test"
PICTURE = b"a picture"
HASH = hashlib.sha256(PICTURE).hexdigest()
KEPT, THUMBNAIL = f"{STUDIO}/i/abc", f"{STUDIO}/i/abc/thumbnail"
COPY, SMALL = f"{LAB}/cloudinary/v1/abc.png", f"{LAB}/cloudinary/small/v1/abc.webp"
OLD = f"{LAB}/cloudinary/v0/abc.png"  # in the list of variants alone
EARLY = f"{STUDIO}/i/abc?early"  # in `image_kept` alone
FIRST, SECOND = f"{STUDIO}/i/first", f"{STUDIO}/i/second"  # of variants from before, a page each
FORGOTTEN = f"{LAB}/cloudinary/v1/first.png"  # by a lab that was started anew
THEIRS = f"{LAB}/replicate/delivery/p/out-0.webp"


def image(url: str, thumbnail_url: str) -> dict[str, Any]:
    return {
        "url": url,
        "thumbnail_url": thumbnail_url,
        "image_hash": HASH,
        "media_type": "image/png",
    }


class World(httpx.BaseTransport):
    """A stack with one model, and its lab; *after* is what links bring once the time is over."""

    def __init__(self) -> None:
        self.after: dict[str, Callable[[], httpx.Response]] = {}
        self.state, self.leak, self.looks, self.late = "succeeded", KEPT, 0, 1
        self.hours = 0.0
        self.held: list[list[dict[str, Any]]] = [[]]  # pages of what it had before

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        if url.startswith(STUDIO) and not url.startswith(f"{STUDIO}/i/"):
            return self._studio(request.url.path, dict(request.url.params))
        if "/_lab/" in url or url.endswith("/v1/predictions"):
            return self._control(request)
        if url == FORGOTTEN:
            return httpx.Response(404)
        if self.hours:
            dies = url == THEIRS and url not in self.after
            return httpx.Response(404) if dies else self.after.get(url, picture)()
        return picture()

    def _studio(self, path: str, query: dict[str, str]) -> httpx.Response:
        if path == "/images/models":
            models = [{"key": "m", "state": "active"}, {"key": "off", "state": "disabled"}]
            return httpx.Response(200, json={"models": models})
        if path == "/images/generate/stream":
            return httpx.Response(200, text=self._stream())
        if path == "/images/variants" and "job" in query:
            variant = image(COPY, SMALL) | {"cdn_url": OLD}
            return httpx.Response(200, json={"variants": [variant]})
        if path == "/images/variants":
            assert query["include_deleted"] == "true"
            page = int(query.get("page_token", "0"))
            more = str(page + 1) if page + 1 < len(self.held) else ""
            told = {"variants": self.held[page], "next_page_token": more}
            return httpx.Response(200, json=told)
        assert path == "/images/jobs/7"
        self.looks += 1
        there = self.looks > self.late
        shown = image(COPY, SMALL) if there else image(KEPT, THUMBNAIL)
        return httpx.Response(200, json={"images": [shown]})

    def _stream(self) -> str:
        kept = image(self.leak, THUMBNAIL)
        last = {"job_id": "7", "state": self.state, "images": [kept], "failures": ["so"]}
        events = [
            ("accepted", {"job_id": "7"}),
            ("image_kept", image(EARLY, THUMBNAIL)),
            ("completed", last),
        ]
        return "".join(
            f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
            for number, (kind, data) in enumerate(events, 1)
        )

    def _control(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/_lab/clock":
            self.hours += json.loads(request.content)["advance_seconds"] / 3600
        results = [{"output": [THEIRS]}, {"output": None}]
        return httpx.Response(200, json={"seconds": 1, "results": results, "next": None})


def picture() -> httpx.Response:
    return httpx.Response(200, content=PICTURE, headers={"content-type": "image/png"})


def tried(world: World, hours: float = 24) -> int:
    edge = Edge(STUDIO, transport=world, pause=lambda _: None)
    return rot.run(edge, Lab(LAB, world), jobs=1, hours=hours, as_json=True)


def test_links_of_every_way_are_counted_and_live(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    assert tried(world) == 0
    assert world.hours == 24
    told = json.loads(capsys.readouterr().out)
    assert told["vendor_links_alive_before"] == 1
    assert [tuple(row.values()) for row in told["links"]] == [
        ("CDN", 2, 2, 2),
        ("CDN, thumbnail", 1, 1, None),
        ("vault", 2, 2, 2),
        ("vault, thumbnail", 1, 1, None),
        (rot.THEIRS, 1, 0, None),
    ]


GONE = [
    (lambda: httpx.Response(404), "dead links: 1; links that bring other bytes: 0"),
    (lambda: httpx.Response(200, text="<html>"), "dead links: 1; links that bring other bytes: 0"),
    (lambda: httpx.Response(200, content=b"x"), "dead links: 1; links that bring other bytes: 0"),
]


@pytest.mark.parametrize("link", [KEPT, THUMBNAIL, COPY, SMALL, OLD, EARLY])
@pytest.mark.parametrize(("brings", "said"), GONE, ids=["404", "a page", "of no type"])
def test_a_link_that_dies_fails_wherever_it_was_told(
    link: str,
    brings: Callable[[], httpx.Response],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    world.after[link] = brings
    assert tried(world) == 1
    complaint = capsys.readouterr().err
    assert said in complaint
    assert f"{link}: HTTP " in complaint


@pytest.mark.parametrize("link", [KEPT, COPY, OLD, EARLY])
def test_other_bytes_fail(link: str, capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    world.after[link] = lambda: httpx.Response(
        200, content=b"another", headers={"content-type": "image/png"}
    )
    assert tried(world) == 1
    assert "dead links: 0; links that bring other bytes: 1" in capsys.readouterr().err


def before() -> World:
    """A stack that had a variant on each of two pages, and what this run buys on the second."""
    world = World()
    first = image(FIRST, THUMBNAIL) | {"cdn_url": FORGOTTEN}
    world.held = [[first], [image(SECOND, THUMBNAIL), image(COPY, SMALL)]]
    return world


def test_what_was_given_out_before_is_fetched_too_and_counted_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tried(before()) == 0
    told = capsys.readouterr()
    rows = [tuple(row.values()) for row in json.loads(told.out)["links"]]
    assert (f"{rot.BEFORE}vault", 2, 2, 2) in rows
    assert ("CDN", 2, 2, 2) in rows  # what this run bought is not counted twice
    assert [kind for kind, *_ in rows if kind.startswith(rot.BEFORE)] == [f"{rot.BEFORE}vault"]
    assert "dead already, and left out: 1;" in told.err


@pytest.mark.parametrize("link", [FIRST, SECOND])
@pytest.mark.parametrize(("brings", "said"), GONE, ids=["404", "a page", "of no type"])
def test_one_from_before_that_dies_fails(
    link: str,
    brings: Callable[[], httpx.Response],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = before()
    world.after[link] = brings
    assert tried(world) == 1
    assert said in capsys.readouterr().err


def test_a_vendors_link_that_was_given_out_before_is_told_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = before()
    world.held[1].append(image(THEIRS, THUMBNAIL))
    assert tried(world) == 1
    assert "the vendor's own: 1" in capsys.readouterr().err


@pytest.mark.parametrize("hours", [0.5, 24])
def test_a_vendors_own_link_is_never_given_out(
    hours: float, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World()
    world.leak = THEIRS
    world.after[THEIRS] = picture
    assert tried(world, hours) == 1
    assert "the vendor's own: 1" in capsys.readouterr().err


def test_a_run_in_which_no_time_passed_proves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    world.after[THEIRS] = picture
    assert tried(world) == 1
    assert "proves nothing" in capsys.readouterr().err
    assert tried(World(), hours=0) == 0


def test_what_the_cdn_never_gets_is_said() -> None:
    world = World()
    world.late = 10_000
    with pytest.raises(Trouble, match="job 7 are not with the CDN after 30 s"):
        tried(world)


def test_a_job_that_fails_is_named() -> None:
    world = World()
    world.state = "failed"
    with pytest.raises(Trouble, match="job 7 of m ended failed"):
        tried(world)
