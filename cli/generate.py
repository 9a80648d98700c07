"""`studio generate`: from the command line to a request, and its pictures."""

import json
import re
import sys
import uuid
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.edge import Edge, Event, Trouble
from cli.job import follow
from cli.screen import say

_OPEN_AT_MOST = 8  # tabs
_ROLES = ("style", "subject", "structure", "edit_base", "mask")
_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the command line asks for; empty and None mean: as the preset or the server has it."""

    prompt: str
    models: list[str]
    count: int | None
    seed: int | None
    aspect: str
    size: str
    negative_prompt: str
    preset: str
    project: str
    title: str
    parameters: list[str]  # [MODEL.]KEY=VALUE
    references: list[str]  # FILE, URL or id, and [:ROLE]
    max_cost_usd: float | None
    allow_successor: bool = False
    smart_prompt: bool | None = None

    def to_request(self) -> dict[str, Any]:
        """Return the body of POST /images/generate; raise Trouble where it makes no sense."""
        for several in (model for model in self.models if "," in model):
            each = " ".join(f"-m {model.strip()}" for model in several.split(","))
            raise Trouble(f"--model {several} is one name: say {each}", 400)
        wanted = {
            "prompt": _text(self.prompt),
            "models": self.models,
            "count": self.count,
            "seed": self.seed,
            "aspect": self.aspect,
            "size": self.size,
            "negative_prompt": self.negative_prompt,
            "preset": self.preset,
            "project": self.project,
            "title": self.title,
            "parameters": _parameters(self.parameters, self.models),
            "references": [_reference(one) for one in self.references],
            "max_cost_usd": self.max_cost_usd,
            "allow_successor": self.allow_successor or None,
            "smart_prompt": self.smart_prompt,
        }
        return {name: value for name, value in wanted.items() if value not in (None, "", [], {})}


def run(edge: Edge, request: dict[str, Any], *, as_json: bool, open_: bool) -> int:
    """Generate what *request* asks for, its files uploaded before, and return the exit status."""
    given = [
        one.get("file") or one.get("uri") or one["id"] for one in request.get("references", ())
    ]
    for one in request.get("references", ()):
        if path := one.pop("file", None):
            one["id"] = edge.upload_file(Path(path))
    shown = _Opener() if open_ else None
    events = edge.generate(request, str(uuid.uuid4()), say)
    try:
        return follow(shown.over(events) if shown else events, as_json=as_json)
    except Trouble as error:  # which counts them
        words = str(error)
        for place, name in enumerate(given):
            words = words.replace(f"references[{place}]", f"--reference {name}")
        raise Trouble(words, error.status) from error


class _Opener:
    """Opens each picture in the browser when it is kept."""

    def over(self, events: Iterator[Event]) -> Iterator[Event]:
        opened = 0
        for event in events:
            if event.kind == "image_kept" and opened < _OPEN_AT_MOST:
                webbrowser.open_new_tab(event.data["url"])
                opened += 1
            yield event


def _text(prompt: str) -> str:
    text = prompt
    if prompt == "-":
        read = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
        text = read.removesuffix("\n").removesuffix("\r")  # which every line of a shell ends with
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Trouble("the prompt is not UTF-8; save or type it as UTF-8", 400) from None
    if not text.strip():
        raise Trouble("the prompt is empty; say what to draw", 400)
    return text


def _parameters(given: list[str], models: list[str]) -> dict[str, dict[str, Any]]:
    """Sort `[MODEL.]KEY=VALUE` by model; a value is JSON where it can be read as such."""
    found: dict[str, dict[str, Any]] = {}
    for one in given:
        name, equals, text = one.partition("=")
        model, _, key = name.rpartition(".")
        targets = [model] if model else models
        if not equals or not key:
            raise Trouble(f"--param {one}: write [MODEL.]KEY=VALUE", 400)
        if not targets:
            raise Trouble(
                f"--param {one}: name the model, as in sketch.{one}, or with --model", 400
            )
        for target in targets:
            found.setdefault(target, {})[key] = _value(text)
    return found


def _reference(given: str) -> dict[str, str]:
    """Read `FILE|URL|ID[:ROLE]`; raise Trouble where there is no such file."""
    named, colon, role = given.rpartition(":")
    if not colon or role not in _ROLES:
        named, role = given, ""
    wanted = {"role": role} if role else {}
    if named.startswith(("https://", "http://")):
        return {"uri": named, **wanted}
    if _ID.fullmatch(named):
        return {"id": named, **wanted}
    if not Path(named).is_file():
        roles = ", ".join(_ROLES)
        raise Trouble(f"--reference {given}: there is no such file; roles are {roles}", 400)
    return {"file": named, **wanted}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
