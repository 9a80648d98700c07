"""
`studio models --check`: what each model really does, tried in the lab: a table of every model
against every case, and a contact sheet of what it drew.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.contacts import Sheet
from cli.edge import Edge, Event, Trouble
from cli.lab import Lab
from cli.screen import complain, print_json, print_table, say

PROMPT = "a lighthouse at dawn, calm sea"
_REFUSED = "refuse-me, please"  # the lab will not draw it
_SEED = 20_261
_SLOW = 5.0  # seconds
_OK, _LACKS, _WRONG, _UNTRIED = "ok", "lacks", "WRONG", "-"
_CLOSE = 0.02  # how far a picture's shape may be off what was asked, as a share


@dataclass(frozen=True, slots=True)
class Cell:
    """How one case went with one model; *why* says what is wrong, or what it lacks."""

    mark: str
    why: str = ""


@dataclass(slots=True)
class Job:
    """What one job of a case came to."""

    events: list[Event]
    outcome: dict[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> list[dict[str, Any]]:
        return list(self.outcome.get("images", ()))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event.data for event in self.events if event.kind == kind]


def run(edge: Edge, lab: Lab, sheet: Path, *, only: list[str], as_json: bool) -> int:
    """Try every usable model, or *only* some; return 0 where nothing is wrong."""
    found = edge.get("/images/models")["models"]
    models = [m for m in found if m["state"] == "active" and m["key"] in (only or [m["key"]])]
    if not models:
        raise Trouble("no such model can draw here; `./studio models` lists them", 400)
    results = {}
    contacts = Sheet()
    with lab.pace(0.1):
        for model in models:
            say(f"trying {model['key']}")
            tried = _Model(edge, lab, model)
            results[model["key"]] = dict(tried.cases())
            contacts.add(model["key"], tried.shown)
    contacts.save(sheet)
    _print(results, as_json=as_json)
    say(f"what they drew: {sheet}")
    return 1 if any(c.mark == _WRONG for cells in results.values() for c in cells.values()) else 0


class _Model:
    """One model under trial; *shown* are the pictures for the sheet."""

    def __init__(self, edge: Edge, lab: Lab, model: dict[str, Any]) -> None:
        self.edge, self.lab, self.key = edge, lab, model["key"]
        self.can, self.remote = model["capabilities"], model["provider"] != "sketch"
        self.provider = model["provider"]
        self.shown: list[tuple[str, str]] = []  # what it is, and its link
        self._jobs: list[Job] = []

    def cases(self) -> Iterator[tuple[str, Cell]]:
        """Try one case after the other; what one cannot be tried with is told, too."""
        cases: dict[str, Callable[[], Cell]] = {
            "plain": self._plain,
            "count 4": self._count,
            "aspects": self._aspects,
            "negative": self._negative,
            "seed": self._seed,
            "reference": self._reference,
            "refusal": self._refusal,
            "429": self._throttled,
            "cancel": self._cancel,
            "cost": self._cost,
        }
        for name, case in cases.items():
            try:
                yield name, case()
            except Trouble as error:
                yield name, Cell(_WRONG, str(error))

    def _plain(self) -> Cell:
        job = self._draw("plain")
        return _expect(len(job.images) == 1, job)

    def _count(self) -> Cell:
        job = self._draw("count 4", count=4)
        return _expect(len({image["image_hash"] for image in job.images}) == 4, job)

    def _aspects(self) -> Cell:
        wrong = [why for aspect in self.can["aspect_ratios"] for why in self._misshapen(aspect)]
        return Cell(_WRONG, "; ".join(wrong)) if wrong else Cell(_OK)

    def _misshapen(self, aspect: str) -> Iterator[str]:
        images = self._draw(aspect, aspect=aspect).images
        if not images:
            yield f"{aspect} did not come"
        for image in images:
            came = _ratio(image["width"], image["height"])
            if abs(came / _ratio(*aspect.split(":")) - 1) > _CLOSE:
                yield f"{aspect} came as {image['width']}x{image['height']}"

    def _negative(self) -> Cell:
        job = self._draw("", negative_prompt="people")
        return self._has(job, "negative_prompt", self._variant(job)["negative_prompt"] == "people")

    def _seed(self) -> Cell:
        job = self._draw("", seed=_SEED)
        return self._has(job, "seed", bool(job.images) and job.images[0]["seed"] == _SEED)

    def _reference(self) -> Cell:
        if self.can["max_references"]:
            return Cell(_UNTRIED, "references are not tried yet")
        try:
            self._draw("", references=[{"id": "1", "role": "style"}])
        except Trouble as refused:
            return Cell(_LACKS if "reference" in str(refused) else _WRONG, str(refused))
        return Cell(_WRONG, "a reference was taken by a model that takes none")

    def _refusal(self) -> Cell:
        if not self.remote:
            return Cell(_UNTRIED, "it draws whatever is asked")
        job = self._job(prompt=_REFUSED)
        reasons = [failure["reason"] for failure in job.outcome["failures"]]
        return _expect(reasons == ["CONTENT_REFUSED"] and not job.images, job)

    def _throttled(self) -> Cell:
        if not self.remote:
            return Cell(_UNTRIED, "nobody throttles it")
        fault = {"vendor": self.provider, "where": "create", "kind": "status:429", "times": 2}
        charged = len(self.lab.charges())
        with self.lab.faults(fault):
            job = self._draw("")
        return _expect(len(job.images) == 1 and len(self.lab.charges()) == charged + 1, job)

    def _cancel(self) -> Cell:
        slow = {} if self.remote else {"parameters": {self.key: {"seconds": _SLOW}}}
        with self.lab.pace(_SLOW):
            job = self._job(cancel_at="progress", **slow)
        [failure] = job.outcome["failures"] or [{"charged": "drawn all the same"}]
        mine = [c for c in self.lab.charges() if c["purchase_id"] in _purchases(job)]
        told = failure["charged"] == bool(mine)
        return _expect(job.outcome["state"] == "canceled" and told, job)

    def _cost(self) -> Cell:
        """Compare what we say that all this has cost with what the vendor charged."""
        charges = self.lab.charges()
        for job in self._jobs:
            mine = [c["usd"] for c in charges if c["purchase_id"] in _purchases(job)]
            if round(sum(mine), 6) != round(job.outcome["cost_usd"], 6):
                why = f"charged {sum(mine):.6f}, told {job.outcome['cost_usd']:.6f}"
                return Cell(_WRONG, f"job {job.outcome['job_id']}: {why}")
        return Cell(_OK)

    def _has(self, job: Job, name: str, took: bool) -> Cell:  # noqa: FBT001
        """Whether it took what it says it can, and warned where it cannot."""
        if self.can[name]:
            return _expect(took, job)
        warned = job.of("warning")
        return Cell(_LACKS, warned[0]["message"]) if warned else Cell(_WRONG, "left out in silence")

    def _draw(self, name: str, **request: Any) -> Job:
        """Run a job that must bring pictures, and show them under *name*."""
        job = self._job(**request)
        self._jobs.append(job)
        self.shown += [(name, image["url"]) for image in job.images if name]
        return job

    def _job(self, cancel_at: str = "", **request: Any) -> Job:
        request = {"prompt": PROMPT, "models": [self.key], **request}
        job = Job([])
        for event in self.edge.generate(request, str(uuid.uuid4()), say):
            job.events.append(event)
            if event.kind == "completed":
                job.outcome = event.data
            elif event.kind == cancel_at:
                self.edge.post(f"/images/jobs/{job.events[0].data['job_id']}/cancel")
                cancel_at = ""
        return job

    def _variant(self, job: Job) -> dict[str, Any]:
        [image] = job.images
        return self.edge.get(f"/images/variants/{image['variant_id']}")


def _purchases(job: Job) -> set[str]:
    return {str(event.data["purchase_id"]) for event in job.events if "purchase_id" in event.data}


def _expect(good: bool, job: Job) -> Cell:  # noqa: FBT001
    if good:
        return Cell(_OK)
    outcome = job.outcome
    brought = f"{outcome['state']}, {len(job.images)} images"
    return Cell(_WRONG, f"job {outcome['job_id']}: {brought}, {outcome['failures']}")


def _ratio(width: float | str, height: float | str) -> float:
    return float(width) / float(height)


def _print(results: dict[str, dict[str, Cell]], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                key: {name: {"mark": cell.mark, "why": cell.why} for name, cell in cells.items()}
                for key, cells in results.items()
            }
        )
        return
    columns = ("model", *next(iter(results.values())))
    print_table(
        columns, [(key, *(c.mark for c in cells.values())) for key, cells in results.items()]
    )
    for key, cells in results.items():
        for name, cell in cells.items():
            if cell.mark == _WRONG:
                complain(f"{key}, {name}: {cell.why}")
