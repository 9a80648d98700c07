"""
`studio doctor`: what is configured, missing or unreachable, how full the disk is, and for each
what to do about it. It changes nothing.
"""

import os
import platform
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

from chassis.settings import EX_CONFIG, Secret, SettingsError
from cli import envoy, ports, processes, vendors
from cli.calls import auth_of
from cli.edge import Edge, Trouble
from cli.folder import CannotUse, Folder
from cli.screen import output, print_json
from cli.settings import CHECKOUT, NAMES, SECRETS, StackSettings, load
from cli.shape import Shape

_GOOD, _NOTE, _BAD = "good", "note", "bad"
_MARKS = {_GOOD: "[green]ok[/]  ", _NOTE: "[yellow]note[/]", _BAD: "[red]bad[/] "}
_MEGABYTE = 1024 * 1024
_UNKNOWN = re.compile(r'^studio_unknown_tickets\{provider="([^"]+)"\} (\d+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; *remedy* is empty where nothing is to be done."""

    about: str
    state: str
    found: str
    remedy: str = ""


def examine(*, as_json: bool) -> int:
    """Print all findings; return 0, 1 where something is bad, 78 where settings are."""
    findings, status = [], 0
    try:
        settings = load()
    except SettingsError as error:
        findings = [Finding("settings", _BAD, problem, "correct it") for problem in error.problems]
        status = EX_CONFIG
    else:
        findings = list(_all(settings))
        status = 1 if any(finding.state == _BAD for finding in findings) else 0
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    return status


def _all(settings: StackSettings) -> Iterator[Finding]:
    folder = Folder(settings.data)
    yield _machine()
    state = folder.read_state()
    yield from _settings()
    yield from _access(settings, state or {})
    yield from _folder(settings, folder)
    yield from _engines(settings, folder)
    yield from _vendors(settings, state)
    if state is None:
        yield from _ports(settings)
        yield Finding("stack", _NOTE, "does not run", "./studio up starts it")
    else:
        yield from _running(settings, state)


def _machine() -> Finding:
    words = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return Finding("machine", _GOOD, f"{words}, {os.cpu_count()} cores, checkout in {CHECKOUT}")


def _settings() -> Iterator[Finding]:
    hidden = ("STUDIO_DATA", *SECRETS)
    given = sorted(name for name in NAMES if os.environ.get(name) and name not in hidden)
    secret = sorted(f"{name}=***" for name in SECRETS if name in NAMES and os.environ.get(name))
    shown = ", ".join([f"{name}={os.environ[name]}" for name in given] + secret)
    where = " and .env" if (CHECKOUT / ".env").exists() else ""
    yield Finding("settings", _GOOD, f"from the environment{where}: {shown or 'all as they come'}")


def _access(settings: StackSettings, state: Mapping[str, Any]) -> Iterator[Finding]:
    """Who is let in, by what runs; where nothing does, by what would."""
    auth, public = auth_of(settings, state), state.get("url", settings.public)
    yield Finding("access", _GOOD, f"AUTH={auth}, links begin with {public}")
    if (auth, public) != (settings.auth, settings.public):
        words = f"the settings here say AUTH={settings.auth} and {settings.public}"
        remedy = "set them as the stack was started, or take them: ./studio down, then up"
        yield Finding("access", _NOTE, words, remedy)
    if auth == "keys" and not settings.api_key:
        remedy = "./studio keys create LABEL --user NAME, then set STUDIO_API_KEY"
        yield Finding("access", _NOTE, "no STUDIO_API_KEY for the commands here", remedy)


def _vendors(settings: StackSettings, state: dict[str, Any] | None) -> Iterator[Finding]:
    if state and Shape.of(state).lab:
        words = f"the lab stands for every vendor, on {vendors.lab_url(settings)}"
        yield Finding("vendors", _GOOD, words)
    else:
        for name, words in vendors.told(settings):
            yield Finding(name, _GOOD, words)


def _folder(settings: StackSettings, folder: Folder) -> Iterator[Finding]:
    parent = folder.path
    while not parent.exists():
        parent = parent.parent
    if parent != folder.path:
        yield Finding("data", _GOOD, f"{folder.path} will be made at the first start")
    else:
        try:
            folder.prepare()
            yield Finding("data", _GOOD, f"{folder.path} can be written")
        except CannotUse as error:
            yield Finding("data", _BAD, str(error), "as it says")
    if folder.kept_to:
        whose = "the lab" if folder.kept_to == "lab" else "real vendors"
        yield Finding("data", _GOOD, f"its jobs are made with {whose}, and with nobody else")
    moved = folder.path / "postgres.moved"
    if moved.exists():
        yield Finding("data", _NOTE, f"the database lives in {moved.read_text().strip()}")
    yield _disk(parent, settings.disk_reserve)


def _disk(place: Path, reserve: int) -> Finding:
    usage = shutil.disk_usage(place)
    free, full = usage.free // _MEGABYTE, 100 * usage.used // max(1, usage.used + usage.free)
    words = f"{free:,} MB free where the data is ({full} % full); {reserve} MB are kept in reserve"
    if free <= reserve:
        return Finding("disk", _BAD, words, "free some space: no new job is taken until then")
    if free < 4 * reserve:
        return Finding("disk", _NOTE, words, "free some space soon")
    return Finding("disk", _GOOD, words)


def _engines(settings: StackSettings, folder: Folder) -> Iterator[Finding]:
    yield _engine("PostgreSQL", settings.database_url, 5432, "DATABASE_URL")
    yield _engine("NATS", settings.nats_url, 4222, "NATS_URL")
    yield from _vault(settings, folder)
    yield _envoy(settings)


def _vault(settings: StackSettings, folder: Folder) -> Iterator[Finding]:
    """Whether it can be written; one of our own is made at the first start."""
    vault = Path(unquote(urlsplit(processes.vault_url(settings, folder)).path))
    if not settings.vault_url and not vault.exists():
        return
    inside = vault / "tmp"  # where every write begins, once storage has made it
    good = os.access(vault, os.W_OK | os.X_OK)
    good = good and (not inside.exists() or os.access(inside, os.W_OK | os.X_OK))
    words = f"{vault} {'can' if good else 'cannot'} be written"
    remedy = "mount its disk, not read-only, and let this user write there, or see VAULT_URL"
    yield Finding("vault", _GOOD if good else _BAD, words, "" if good else remedy)


def _envoy(settings: StackSettings) -> Finding:
    if envoy.chosen(settings):
        return Finding("Envoy", _GOOD, f"in front, on {settings.address}")
    why = "is left out (EMBED_ENVOY=off)"
    if not envoy.installed():
        why = "has no package for this platform"
    words = (
        f"{why}: the gateway itself takes port {settings.edge}, and gRPC stays on "
        f"{settings.generator}, {settings.catalog} and {settings.storage}"
    )
    return Finding("Envoy", _NOTE, words, "nothing to do; gRPC-Web is what is missing")


def _engine(name: str, url: Secret, port: int, setting: str) -> Finding:
    if not url:
        return Finding(name, _GOOD, "embedded")
    parts = urlsplit(url.reveal())
    where = (parts.hostname or "127.0.0.1", parts.port or port)
    try:
        socket.create_connection(where, 3).close()
    except OSError as error:
        words = f"{where[0]}:{where[1]} cannot be reached: {error.strerror or error}"
        return Finding(name, _BAD, words, f"start it, or correct {setting}")
    return Finding(name, _GOOD, f"{where[0]}:{where[1]} can be reached")


def _ports(settings: StackSettings) -> Iterator[Finding]:
    taken = ports.taken(processes.ports(settings, Shape()))
    for found, remedy in taken:
        yield Finding("ports", _BAD, found, remedy)
    if not taken:
        yield Finding("ports", _GOOD, "all that a stack needs are free")


def _running(settings: StackSettings, state: dict[str, Any]) -> Iterator[Finding]:
    names = [process["name"] for process in state["processes"]]
    yield Finding("stack", _GOOD, f"{state['state']}: {', '.join(names)}")
    edge = Edge(state["address"], settings.api_key)
    try:
        edge.get("/readyz")
    except Trouble as trouble:
        yield Finding("stack", _BAD, str(trouble), "./studio logs says why; or down, then up")
    else:
        yield Finding("stack", _GOOD, f"answers on {state['address']}")
        yield from _ill(edge)
    yield from _unknown(settings)


def _ill(edge: Edge) -> Iterator[Finding]:
    """The companies that take no orders just now, as the list of models tells."""
    try:
        found = edge.get("/images/models")["models"]
    except Trouble:  # without a key of ours nothing is told
        return
    degraded = {each["provider"]: each for each in found if each["state"] == "degraded"}
    for provider, model in degraded.items():
        if said := model["state_message"]:
            yield Finding(provider, _BAD, f"takes no orders: {model['state_reason']}", said)
        else:
            words = "has failed lately: its orders wait, and one tries now and then"
            yield Finding(provider, _NOTE, words, "nothing to do; ./studio logs says what failed")


def _unknown(settings: StackSettings) -> Iterator[Finding]:
    """What a provider charges for, and no purchase here holds, as the catalog counts it."""
    try:
        with urlopen(f"http://127.0.0.1:{settings.catalog + 100}/metrics", timeout=3) as answer:
            found = _UNKNOWN.findall(answer.read().decode())
    except OSError:
        return
    for provider, count in found:
        if float(count):
            words = f"orders at {provider} that are of no purchase here, in a week: {count}"
            remedy = "./studio logs catalog, and look for 'no purchase of ours'"
            yield Finding("orders", _NOTE, words, remedy)


def _print(findings: list[Finding]) -> None:
    from rich.markup import escape

    for finding in findings:
        words = f"{_MARKS[finding.state]} {finding.about:<10} {escape(finding.found)}"
        output.print(words, soft_wrap=True)
        if finding.remedy:
            output.print(f"                → {escape(finding.remedy)}", soft_wrap=True)
