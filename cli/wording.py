"""`studio suggest` and `studio analyze`: words as they come, or all of them as JSON."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.edge import Edge, Trouble
from cli.screen import dollars, harmless, print_json, say

_ID = re.compile(r"[0-9a-f]{64}")
Pictures = Sequence[str | Path]  # ids, and what is to be uploaded


def suggestions(edge: Edge, body: Mapping[str, Any], *, as_json: bool) -> None:
    """Print prompts as soon as each is whole; as JSON, all with the summary."""
    found = []
    for event in edge.words("/images/prompt-suggestions/stream", body):
        if event.kind == "suggestion":
            found.append(event.data)
            if not as_json:
                _write(f"{event.data['title']}\n  {event.data['prompt']}\n")
        elif event.kind == "summary":
            _end({"suggestions": found} | event.data, "suggested_by", as_json=as_json)


def pictures(files: Sequence[str]) -> Pictures:
    """Tell ids from files; Trouble where one is not there."""
    found: list[str | Path] = []
    for name in files:
        if _ID.fullmatch(name):
            found.append(name)
            continue
        try:
            Path(name).open("rb").close()
        except OSError as error:
            raise Trouble(f"{name}: {error.strerror}", 400) from error
        found.append(Path(name))
    return found


def analysis(edge: Edge, found: Pictures, body: Mapping[str, Any], *, as_json: bool) -> None:
    """Describe *found*, uploaded where they are files: print text as it comes, or all as JSON."""
    ids = [one if isinstance(one, str) else edge.upload_file(one) for one in found]
    asked = {"references": [{"id": one} for one in ids], **body}
    findings, open_line = list[dict[str, Any]](), False
    for event in edge.words("/images/analyze-references/stream", asked):
        match event.kind:
            case "text_delta" if not as_json:
                _write(event.data["text"])
                open_line = True
            case "finding":
                findings.append(event.data)
                if not as_json:
                    _write("\n" if open_line else f"{event.data['description']}\n")
                    _show(event.data)
                    open_line = False
            case "summary":
                _end({"findings": findings} | event.data, "analyzed_by", as_json=as_json)


def _show(finding: Mapping[str, Any]) -> None:
    colours = " ".join(f"{one['hex']} {one['share']:.0%}" for one in finding["palette"])
    _write(f"  styles: {', '.join(finding['styles'])}\n  colours: {colours}\n")
    _write(f"  prompt: {finding['suggested_prompt']}\n")


def _end(found: Mapping[str, Any], by: str, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    say(f"by {found[by]}, {dollars(found['cost_usd'])}")


def _write(words: str) -> None:
    sys.stdout.write(harmless(words))
    sys.stdout.flush()
