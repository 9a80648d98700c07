"""
`studio rot`: does a link that was ever given out die? Pictures are bought in the lab, the
vendors' clock is moved on, and every link is fetched and compared with the hash it came with.
"""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import httpx

from cli.edge import Edge, Trouble
from cli.lab import Lab
from cli.screen import complain, print_json, print_table, say

_AT_ONCE = 16  # jobs, and downloads
_HOUR = 3600  # seconds
_IMAGES = ("image_kept", "image_published")
THEIRS = "the vendor's own, never given out"


@dataclass(frozen=True, slots=True)
class Link:
    """One link; *sha256* is empty for a thumbnail, which may be any picture."""

    url: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one kind of link."""

    kind: str
    given: int
    alive: int
    unchanged: int | None  # None: no hash was told


def run(edge: Edge, lab: Lab, *, jobs: int, hours: float, as_json: bool) -> int:
    """Print what became of every link; 0 where all that were given out live, with their bytes."""
    links = _collect(edge, jobs)
    theirs = lab.outputs()
    before = _fetched([Link(url) for url in theirs])
    say(f"{len(links)} links given out for {jobs} jobs; {hours:g} hours pass at the vendors")
    lab.advance(hours * _HOUR)
    rows = [_row(kind, found) for kind, found in sorted(_kinds(links).items())]
    rows.append(_row(THEIRS, [Link(url) for url in theirs]))
    _print(rows, hours, sum(one is not None for one in before.values()), as_json=as_json)
    dead = sum(row.given - row.alive for row in rows if row.kind != THEIRS)
    changed = sum(row.given - row.unchanged for row in rows if row.unchanged is not None)
    if dead or changed:
        complain(f"{dead} links are dead and {changed} bring other bytes")
    return 1 if dead or changed else 0


def _collect(edge: Edge, jobs: int) -> set[Link]:
    """Buy *jobs* jobs and return every link that was told of on any way."""
    found = edge.get("/images/models")["models"]
    models = [one["key"] for one in found if one["state"] == "active"]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        told = pool.map(lambda model: _told(edge, model), islice(cycle(models), jobs))
        return {link for links in told for link in links}


def _told(edge: Edge, model: str) -> set[Link]:
    request = {"prompt": f"a lighthouse at dawn, {uuid.uuid4().hex[:8]}", "models": [model]}
    links: set[Link] = set()
    completed: dict[str, Any] = {}
    for event in edge.generate(request, str(uuid.uuid4()), say):
        if event.kind in _IMAGES:
            links |= _links([event.data])
        elif event.kind == "completed":
            completed = event.data
    if completed["state"] != "succeeded":
        raise Trouble(f"a job for the test ended {completed['state']}: {completed['failures']}")
    links |= _links(completed["images"])
    return links | _links(edge.get(f"/images/jobs/{completed['job_id']}")["images"])


def _links(images: Iterable[Mapping[str, Any]]) -> set[Link]:
    found = {Link(image["url"], image["image_hash"]) for image in images}
    return found | {Link(image["thumbnail_url"]) for image in images}


def _kinds(links: Iterable[Link]) -> dict[str, list[Link]]:
    kinds: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        place = "vault" if "/i/" in link.url else "CDN"
        kinds[place if link.sha256 else f"{place}, thumbnail"].append(link)
    return kinds


def _row(kind: str, links: list[Link]) -> Row:
    hashes = _fetched(links)
    alive = [link for link in links if hashes[link] is not None]
    hashed = any(link.sha256 for link in links)
    same = sum(hashes[link] == link.sha256 for link in alive)
    return Row(kind, len(links), len(alive), same if hashed else None)


def _fetched(links: Iterable[Link]) -> dict[Link, str | None]:
    """Return the SHA-256 of what each link brings; None where it brings no picture."""
    links = list(links)
    with httpx.Client(timeout=30, trust_env=False) as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(links, pool.map(lambda link: _hash(client, link.url), links), strict=True))


def _hash(client: httpx.Client, url: str) -> str | None:
    try:
        answer = client.get(url)
    except httpx.HTTPError:
        return None
    if answer.status_code != 200 or not answer.headers["content-type"].startswith("image/"):
        return None
    return hashlib.sha256(answer.content).hexdigest()


def _print(rows: list[Row], hours: float, before: int, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "hours": hours,
                "vendor_links_alive_before": before,
                "links": [
                    {"kind": r.kind, "given_out": r.given, "alive": r.alive, "same": r.unchanged}
                    for r in rows
                ],
            }
        )
        return
    columns = ("link", "given out", f"alive after {hours:g} h", "same bytes")
    cells = [(r.kind, r.given, r.alive, "-" if r.unchanged is None else r.unchanged) for r in rows]
    print_table(columns, cells)
