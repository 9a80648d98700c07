"""A job on the screen: from its events to bars, links, what it cost, and an exit status."""

import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from cli.edge import Edge, Event
from cli.screen import Bars, complain, dollars, print_json, say

ALL_KEPT, SOME_OR_NONE, DETACHED = 0, 1, 130


def follow(events: Iterator[Event], *, as_json: bool) -> int:
    """Show *events* to the end and return the exit status; Ctrl-C leaves the job alone."""
    shown = _Shown()
    try:
        with Bars() as bars:
            for event in events:
                shown.take(event, bars)
    except KeyboardInterrupt:
        return _detach(shown, as_json=as_json)
    if shown.outcome is None:
        complain("the stream ended before the job did")
        return SOME_OR_NONE
    _print(shown.outcome, as_json=as_json)
    return _status(shown.outcome)


def show(edge: Edge, job_id: str, *, as_json: bool) -> None:
    """Show how a job stands: its pictures so far, and what failed."""
    found = edge.get(f"/images/jobs/{quote(job_id, safe='')}")
    if not as_json:
        say(f"job {found['job_id']}, {found['state'].replace('_', ' ')}: {found['title']}")
    _print(found, as_json=as_json)


def cancel(edge: Edge, job_id: str, *, as_json: bool) -> None:
    """Ask for a job's end, and say what becomes of what was ordered."""
    found = edge.post(f"/images/jobs/{quote(job_id, safe='')}/cancel")
    if as_json:
        return print_json(found)
    number = found["job_id"]
    if found["state"] == "canceling":
        say(
            f"job {number} is being canceled; what was drawn by then is paid for and kept: "
            f"./studio jobs watch {number}"
        )
    else:
        say(f"job {number} has ended: {found['state'].replace('_', ' ')}")
    return None


class _Shown:
    """What was seen of a job so far."""

    def __init__(self) -> None:
        self.job_id = ""
        self.links: list[str] = []
        self.outcome: dict[str, Any] | None = None

    def take(self, event: Event, bars: Bars) -> None:
        data = event.data
        purchase, model = str(data.get("purchase_id", "")), str(data.get("model", ""))
        match event.kind:
            case "accepted":
                self.job_id = str(data["job_id"])
                bars.say(f"job {self.job_id}; Ctrl-C leaves it to itself")
            case "queued":
                bars.plan(data.get("purchases", []))
            case "purchased":
                bars.move(purchase, model, 0.0, "drawing")
            case "progress":
                bars.move(purchase, model, data.get("fraction"), "drawing")
            case "image_kept":
                self.links.append(data["url"])
                bars.end(purchase, model, f"kept, {data['width']}x{data['height']}", good=True)
            case "purchase_ended":  # why, and what it cost, is told at the end
                bars.end(purchase, model, "not drawn", good=False)
            case "unclear":
                bars.move(purchase, model, None, "unclear: asking the provider")
            case "warning" | "prompt_enhanced":
                bars.say(_remark(event))
            case "completed":
                self.outcome = data


def _remark(event: Event) -> str:
    data = event.data
    if event.kind == "prompt_enhanced":
        return f"prompt by {data['enhanced_by']}, {dollars(data.get('cost_usd'))}: {data['prompt']}"
    return f"{data.get('model', '')}: {data.get('message', '')}".removeprefix(": ")


def _detach(shown: _Shown, *, as_json: bool) -> int:
    if not as_json:
        _print_links(shown.links)
    if shown.job_id:
        number = shown.job_id
        say(f"detached; the job goes on: ./studio jobs watch {number}, or cancel {number}")
    else:
        say("detached before the job was accepted; ./studio jobs shows whether it was")
    return DETACHED


def _print(outcome: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(outcome)
        return
    _print_links([image["url"] for image in outcome["images"]])
    for failure in outcome["failures"]:
        charged = {True: "charged", False: "not charged"}.get(failure["charged"], "charge unclear")
        words = failure.get("message") or failure["reason"]
        complain(f"{failure['model']}: {words} ({charged})")
        if failure["charged"] is None:
            _tell_what_to_do(str(outcome["job_id"]), failure)
    kept = len(outcome["images"])
    images = "1 image" if kept == 1 else f"{kept} images"
    say(f"{images} kept for {dollars(outcome['cost_usd'])} (job {outcome['job_id']})")


def _tell_what_to_do(job_id: str, failure: dict[str, Any]) -> None:
    cost, purchase = dollars(failure.get("cost_usd")), failure.get("purchase_id", "ID")
    say(
        f"{cost} counts as spent for it. Order it again: ./studio jobs retry-unclear {job_id}; "
        "say what the invoice says: "
        f"./studio jobs settle {job_id} --purchase {purchase} --charged yes|no"
    )


def _print_links(links: list[str]) -> None:
    for link in links:
        sys.stdout.write(f"{link}\n")
    sys.stdout.flush()


def _status(outcome: dict[str, Any]) -> int:
    return ALL_KEPT if outcome["state"] == "succeeded" else SOME_OR_NONE
