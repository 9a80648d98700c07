"""
`studio rot`: does a link that was ever given out die? Pictures are bought in the lab, the
vendors' clock is moved on, and every link is fetched and compared with the hash it came with:
those of what was bought now, and of every variant that the stack has had before.
"""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any
from urllib.parse import urlsplit

import httpx

from cli.edge import Edge, Trouble
from cli.lab import Lab
from cli.screen import complain, print_json, print_table, say
from cli.trust import trusted

_AT_ONCE = 16  # jobs, and downloads
_HOUR = 3600  # seconds
_LOOK, _LOOKS = 0.2, 150  # seconds between looks for what the CDN has, and how many
_STEP = 10  # as many times it says how far it is, and not after fewer jobs
_SHOWN = 5  # bad links that are named
# What brings the bytes of the hash beside it; any other link is a thumbnail's.
_WHOLE = ("url", "cdn_url", "vault_url")
THEIRS = "the vendor's own, never given out"
LEAKED = "the vendor's own, given out"
BEFORE = "before this run: "  # what begins the kind of a link that the stack held already
_PAGE = 200  # variants that are asked for at once


@dataclass(frozen=True, slots=True)
class Link:
    """One link; *sha256* is empty for a thumbnail, which may be any picture."""

    url: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a link brings: a picture of *sha256*, or none, and then *why*."""

    sha256: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one kind of link."""

    kind: str
    given: int
    alive: int
    unchanged: int | None  # None: no hash was told
    bad: tuple[str, ...] = ()  # links that are dead or bring other bytes, and why


def run(edge: Edge, lab: Lab, *, jobs: int, hours: float, as_json: bool) -> int:
    """Print what became of every link; 0 where all that were given out live, with their bytes."""
    say(f"buying {jobs} jobs in the lab")
    with lab.pace(0):
        links = _collect(edge, jobs)
    theirs = [Link(url) for url in lab.outputs()]
    before = _row(THEIRS, theirs, edge)
    held = _known_to_the_lab(set(_held(edge)) - links, edge)
    say(
        f"{len(links)} links given out for {jobs} jobs, {len(held)} before; "
        f"{hours:g} hours pass at the vendors"
    )
    lab.advance(hours * _HOUR)
    own = {link.url for link in theirs}
    kinds = _kinds(links, own) | {f"{BEFORE}{k}": v for k, v in _kinds(held, own).items()}
    rows = [_row(kind, found, edge) for kind, found in sorted(kinds.items())]
    after = _row(THEIRS, theirs, edge)
    _print([*rows, after], hours, before.alive, as_json=as_json)
    problems = list(_problems(rows, after, hours))
    for problem in problems:
        complain(problem)
    return 1 if problems else 0


def _problems(rows: list[Row], theirs: Row, hours: float) -> Iterator[str]:
    """Say what is wrong, and where the lab's links do not die what the run could not prove."""
    dead = sum(row.given - row.alive for row in rows)
    changed = sum(row.alive - row.unchanged for row in rows if row.unchanged is not None)
    leaked = sum(row.given for row in rows if row.kind.endswith(LEAKED))
    if dead or changed:
        bad = [why for row in rows for why in row.bad]
        yield f"dead links: {dead}; links that bring other bytes: {changed}"
        yield from bad[:_SHOWN]
        if len(bad) > _SHOWN:
            yield f"and {len(bad) - _SHOWN} more"
    if leaked:
        yield f"links given out that are the vendor's own: {leaked}; they die within the hour"
    if theirs.alive and hours > 1:
        yield f"the vendor's own links that live on: {theirs.alive}; so this run proves nothing"


def _collect(edge: Edge, jobs: int) -> set[Link]:
    """Buy *jobs* jobs and return every link that was told of on any way."""
    found = edge.get("/images/models")["models"]
    models = [one["key"] for one in found if one["state"] == "active"]
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # the first job that fails keeps the rest from it
        told = pool.map(lambda model: set(_told(edge, model)), islice(cycle(models), jobs))
        given = set[Link]()
        for number, links in enumerate(told, 1):
            given |= links
            if number % max(_STEP, jobs // _STEP) == 0:
                say(f"{number} of {jobs} jobs have their pictures")
        return given


def _told(edge: Edge, model: str) -> Iterator[Link]:
    """Buy one picture, and yield the links of its events, its job and its variants."""
    request = {"prompt": f"a lighthouse at dawn, {uuid.uuid4().hex[:8]}", "models": [model]}
    completed: dict[str, Any] = {}
    for event in edge.generate(request, str(uuid.uuid4()), say):
        yield from _links(event.data)
        if event.kind == "completed":
            completed = event.data
    job = completed["job_id"]
    if completed["state"] != "succeeded":
        raise Trouble(f"job {job} of {model} ended {completed['state']}: {completed['failures']}")
    yield from _published(edge, job)
    yield from _links(edge.get("/images/variants", job=job))


def _published(edge: Edge, job: str) -> Iterator[Link]:
    """Yield the links that the job shows until all its pictures are with the CDN."""
    for _ in range(_LOOKS):
        shown = edge.get(f"/images/jobs/{job}")
        yield from _links(shown)
        if not any(_waits(image) for image in shown["images"]):
            return
        edge.pause(_LOOK)
    raise Trouble(
        f"the pictures of job {job} are not with the CDN after {_LOOK * _LOOKS:g} s, so that its "
        "links cannot be tried; `./studio logs storage` may say why"
    )


def _waits(image: dict[str, Any]) -> bool:
    """Whether it shall be with the CDN and is not; drawings stay with us."""
    return _is_vaults(image["url"]) and image["media_type"] != "image/svg+xml"


def _links(told: Any) -> Iterator[Link]:
    """Yield every link in *told*, however deep."""
    if isinstance(told, list):
        for one in told:
            yield from _links(one)
    elif isinstance(told, dict):
        for name, value in told.items():
            if isinstance(value, str) and value.startswith(("http://", "https://")):
                yield Link(value, told.get("image_hash", "") if name in _WHOLE else "")
            yield from _links(value)


def _held(edge: Edge) -> Iterator[Link]:
    """Yield the links of every variant that the stack has, page by page, the hidden ones too."""
    token = ""
    while True:
        page = edge.get(
            "/images/variants", page_size=_PAGE, page_token=token, include_deleted="true"
        )
        yield from _links(page["variants"])
        token = page["next_page_token"]
        if not token:
            return


def _known_to_the_lab(links: set[Link], edge: Edge) -> set[Link]:
    """Leave out, and tell of, what is dead at the CDN by now: a lab forgets when it starts anew."""
    copies = {link for link in links if not _is_vaults(link.url)}
    dead = {link for link, brought in _fetched(copies, edge).items() if brought.why}
    if dead:
        say(
            f"links to the CDN from before that are dead already, and left out: {len(dead)}; "
            "the lab keeps its CDN in memory"
        )
    return links - dead


def _is_vaults(url: str) -> bool:
    return urlsplit(url).path.startswith("/i/")


def _kinds(links: Iterable[Link], theirs: set[str]) -> dict[str, list[Link]]:
    kinds: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        place = "vault" if _is_vaults(link.url) else "CDN"
        ours = place if link.sha256 else f"{place}, thumbnail"
        kinds[LEAKED if link.url in theirs else ours].append(link)
    return kinds


def _row(kind: str, links: list[Link], edge: Edge) -> Row:
    brought = _fetched(links, edge)
    alive = [link for link in links if not brought[link].why]
    other = [link for link in alive if link.sha256 not in ("", brought[link].sha256)]
    hashed = any(link.sha256 for link in links)
    bad = [f"{link.url}: {brought[link].why}" for link in links if brought[link].why]
    bad += [f"{link.url}: other bytes, {brought[link].sha256}" for link in other]
    unchanged = len(alive) - len(other) if hashed else None
    return Row(kind, len(links), len(alive), unchanged, tuple(bad))


def _fetched(links: Iterable[Link], edge: Edge) -> dict[Link, Brought]:
    """Return what each link brings to somebody who has no credential, a few at a time."""
    links = list(links)
    plain = httpx.Client(timeout=30, trust_env=False, verify=trusted(), transport=edge.transport)
    with plain as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(
            zip(links, pool.map(lambda link: _brought(client, link.url), links), strict=True)
        )


def _brought(client: httpx.Client, url: str) -> Brought:
    try:
        answer = client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Brought(why=str(error) or type(error).__name__)
    kind = answer.headers.get("content-type", "nothing")
    if answer.status_code != 200 or not kind.startswith("image/"):
        return Brought(why=f"HTTP {answer.status_code} with {kind}")
    return Brought(hashlib.sha256(answer.content).hexdigest())


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
