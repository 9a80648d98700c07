"""
`studio models --check`: what each model really does, tried in the lab: a table of every model
against every case, and a contact sheet of what it drew.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.text import Text

from cli.contacts import Sheet
from cli.edge import Edge, Event, Trouble
from cli.lab import Lab
from cli.screen import complain, print_json, print_table, say

PROMPT = "a lighthouse at dawn, calm sea"
_REFUSED = "refuse-me, please"  # the lab will not draw it
_SEED = 20_261
_PICTURE = "0" * 64  # a reference's id; it is not asked for where none are taken
_SLOW = 5.0  # seconds
_OK, _LACKS, _WRONG, _UNTRIED = "ok", "lacks", "WRONG", "-"
_STYLES = {_LACKS: "dim", _WRONG: "bold red", _UNTRIED: "dim"}
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

    @property
    def purchases(self) -> set[str]:
        """What was, or was to be, bought for it."""
        told = [*(event.data for event in self.events), *self.images]
        told += self.outcome.get("failures", ())
        return {str(one["purchase_id"]) for one in told if "purchase_id" in one}

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event.data for event in self.events if event.kind == kind]


def run(edge: Edge, lab: Lab, sheet: Path, *, only: list[str], as_json: bool) -> int:
    """Try every usable model, or *only* some; return 0 where nothing is wrong."""
    models = _usable(edge, only)
    results = {}
    contacts = Sheet(edge.transport)
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


def _usable(edge: Edge, only: list[str]) -> list[dict[str, Any]]:
    """Return the models that can draw here, or those of *only*; Trouble where one cannot."""
    found = {m["key"]: m for m in edge.get("/images/models")["models"] if m["state"] == "active"}
    if unknown := sorted(set(only) - found.keys()):
        names = ", ".join(unknown)
        raise Trouble(f"cannot draw here: {names}; `./studio models` lists what can", 400)
    return [model for key, model in found.items() if key in (only or found)]


class _Model:
    """One model under trial; *shown* are the pictures for the sheet."""

    def __init__(self, edge: Edge, lab: Lab, model: dict[str, Any]) -> None:
        self.edge, self.lab, self.key = edge, lab, model["key"]
        self.can, self.remote = model["capabilities"], model["provider"] != "sketch"
        self.provider = model["provider"]
        self.shown: list[tuple[str, str]] = []  # what it is, and its link
        self._jobs: list[Job] = []  # all that were taken

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
        kept = [variant["negative_prompt"] for variant in self._variants(job)]
        return self._has(job, "negative_prompt", kept == ["people"])

    def _seed(self) -> Cell:
        job = self._draw("", seed=_SEED)
        return self._has(job, "seed", bool(job.images) and job.images[0]["seed"] == _SEED)

    def _reference(self) -> Cell:
        """Draw from what it drew before, as much as it takes at once; none where it takes none."""
        if not self.can["max_references"]:
            return self._without_references()
        drawn = next(image for job in self._jobs for image in job.images)
        roles = self.can["reference_roles"]
        chosen = [role for role in roles if role != "unspecified"][: self.can["max_references"]]
        asked = [{"variant": drawn["variant_id"], "role": role} for role in chosen]
        job = self._draw("reference", references=asked)
        return _expect(len(job.images) == 1, job)

    def _without_references(self) -> Cell:
        try:
            self._draw("", references=[{"id": _PICTURE, "role": "style"}])
        except Trouble as refused:
            lacks = "takes no input images" in str(refused)
            return Cell(_LACKS if lacks else _WRONG, str(refused))
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
        with self.lab.faults(fault):
            job = self._draw("")
        return _expect(len(job.images) == 1 and len(self._charges(job)) == 1, job)

    def _cancel(self) -> Cell:
        slow = {} if self.remote else {"parameters": {self.key: {"seconds": _SLOW}}}
        with self.lab.pace(_SLOW):
            job = self._job(cancel_at="progress", **slow)
        if job.images and not self.can["cancelable"]:
            return Cell(_LACKS, "what it has begun it draws to its end, and that is kept")
        told = [failure["charged"] for failure in job.outcome["failures"]]
        true = told == [bool(self._charges(job))]
        return _expect(job.outcome["state"] == "canceled" and true, job)

    def _cost(self) -> Cell:
        """Compare what we say that all this has cost with what the vendor charged."""
        for job in self._jobs:
            charged, told = sum(c["usd"] for c in self._charges(job)), job.outcome["cost_usd"]
            over = round(told - charged, 6)
            unknown = any(failure["charged"] is None for failure in job.outcome["failures"])
            if over < 0 or (over > 0 and not unknown):  # what may be charged counts as spent
                why = f"charged {charged:.6f}, told {told:.6f}"
                return Cell(_WRONG, f"job {job.outcome['job_id']}: {why}")
        return Cell(_OK)

    def _charges(self, job: Job) -> list[dict[str, Any]]:
        return [c for c in self.lab.charges() if c["purchase_id"] in job.purchases]

    def _has(self, job: Job, name: str, took: bool) -> Cell:  # noqa: FBT001
        """Whether it took what it says it can, and warned where it cannot."""
        if self.can[name]:
            return _expect(took, job)
        warned = job.of("warning")
        return Cell(_LACKS, warned[0]["message"]) if warned else Cell(_WRONG, "left out in silence")

    def _draw(self, name: str, **request: Any) -> Job:
        """Run a job that must bring pictures, and show them under *name*."""
        job = self._job(**request)
        self.shown += [(name, image["thumbnail_url"]) for image in job.images if name]
        return job

    def _job(self, cancel_at: str = "", **request: Any) -> Job:
        request = {"prompt": PROMPT, "models": [self.key], **request}
        job = Job([])
        for event in self.edge.generate(request, str(uuid.uuid4()), say):
            job.events.append(event)
            if event.kind == "completed":
                job.outcome = event.data
                self._jobs.append(job)
            elif event.kind == cancel_at:
                self.edge.post(f"/images/jobs/{job.events[0].data['job_id']}/cancel")
                cancel_at = ""
        return job

    def _variants(self, job: Job) -> list[dict[str, Any]]:
        return [self.edge.get(f"/images/variants/{one['variant_id']}") for one in job.images]


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
    print_table(columns, [(key, *map(_shown, cells.values())) for key, cells in results.items()])
    for key, cells in results.items():
        for name, cell in cells.items():
            if cell.mark == _WRONG:
                complain(f"{key}, {name}: {cell.why}")


def _shown(cell: Cell) -> Text:
    return Text(cell.mark, _STYLES.get(cell.mark, ""))
