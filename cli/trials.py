"""
One model under trial: every case that `studio models --check` tries, and what it came to.

Cases of one phase go side by side with other models', so that none may change what all share.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Any

from cli.edge import Edge, Event, Trouble
from cli.screen import say

PROMPT = "a lighthouse at dawn, calm sea"
SLOW = 5.0  # seconds that a drawing takes which is canceled
TIMES = 2  # that an order is told to come later
OK, LACKS, WRONG, UNTRIED = "ok", "lacks", "WRONG", "-"
DRAWING = ("plain", "count 4", "aspects", "negative", "seed", "reference", "refusal")
CASES = (*DRAWING, "429", "cancel", "cost")
_REFUSED = "refuse-me, please"  # the lab will not draw it
_SEED, _UNWANTED = 20_261, "people"
_PICTURE = "0" * 64  # a reference's id; it is not asked for where none are taken
_CLOSE = 0.02  # how far a picture's shape may be off what was asked, as a share
Row = Mapping[str, Any]


class Left(Exception):
    """Whoever wanted the trial has gone."""


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

    @property
    def hashes(self) -> list[str]:
        return [image["image_hash"] for image in self.images]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event.data for event in self.events if event.kind == kind]


class Trial:
    """
    A *model* of the list under trial.

    *charges* tells the vendors' ledger. Once *left* is set, what is under way ends with Left.
    *shown* are the pictures for the sheet, each with its words.
    """

    def __init__(
        self, edge: Edge, charges: Callable[[], Sequence[Row]], model: Row, left: Flag
    ) -> None:
        self.edge, self.key, self.can = edge, str(model["key"]), model["capabilities"]
        self.provider, self.remote = str(model["provider"]), model["provider"] != "sketch"
        self.shown: list[tuple[str, str]] = []
        self._charges_of_all, self._left = charges, left
        self._jobs: list[Job] = []  # all that were taken

    @property
    def words(self) -> str:
        """What its order says that is told to come later."""
        return f"later for {self.key}."

    def run(self, case: str) -> Cell:
        """Try one case; what goes wrong on the way is its result."""
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
        try:
            return cases[case]()
        except Trouble as error:
            return Cell(WRONG, str(error))

    def _plain(self) -> Cell:
        job = self._draw("plain")
        return _expect(len(job.images) == 1, job)

    def _count(self) -> Cell:
        job = self._draw("count 4", count=4)
        return _expect(len(set(job.hashes)) == 4, job)

    def _aspects(self) -> Cell:
        wrong = [why for aspect in self.can["aspect_ratios"] for why in self._misshapen(aspect)]
        return Cell(WRONG, "; ".join(wrong)) if wrong else Cell(OK)

    def _misshapen(self, aspect: str) -> Iterator[str]:
        images = self._draw(aspect, aspect=aspect).images
        if not images:
            yield f"{aspect} did not come"
        for image in images:
            came = _ratio(image["width"], image["height"])
            if abs(came / _ratio(*aspect.split(":")) - 1) > _CLOSE:
                yield f"{aspect} came as {image['width']}x{image['height']}"

    def _negative(self) -> Cell:
        beside = {} if self.remote else {"seed": _SEED}
        job = self._draw("", negative_prompt=_UNWANTED, **beside)
        kept = [variant["negative_prompt"] for variant in self._variants(job)]
        return self._has(job, "negative_prompt", kept, _UNWANTED)

    def _seed(self) -> Cell:
        job = self._draw("", seed=_SEED)
        return self._has(job, "seed", [image["seed"] for image in job.images], _SEED)

    def _reference(self) -> Cell:
        """
        Draw from what it drew before, as much as it takes at once; none where it takes none.

        Its vendor must say that it was given each of them: a picture that came proves nothing.
        """
        if not self.can["max_references"]:
            return self._without_references()
        drawn = next((image for job in self._jobs for image in job.images), None)
        if drawn is None:
            return Cell(WRONG, "it drew nothing that it could draw from")
        roles = self.can["reference_roles"]
        chosen = [role for role in roles if role != "unspecified"][: self.can["max_references"]]
        first = self._draws_from({"variant": drawn["variant_id"]}, chosen)
        sent = next((each for given in first for each in given), "")
        # It sends no file as it was drawn, but what it has made of one it sends as that is.
        plain = sum(role != "mask" for role in chosen)  # a mask goes as its vendor wants it
        again = self._draws_from({"id": sent}, chosen) if sent else []
        for given in (*first, *again) or [[]]:
            if (len(given), given.count(sent)) != (len(chosen), plain):
                why = f"of {len(chosen)} input images, {plain} of them {sent or 'any'}"
                return Cell(WRONG, f"{why}, its vendor was given {given}")
        return Cell(OK)

    def _draws_from(self, picture: Row, roles: Sequence[str]) -> list[list[str]]:
        """Draw from *picture* for all *roles*; return what the vendor was given, a row a call."""
        job = self._draw("reference", references=[{**picture, "role": role} for role in roles])
        if len(job.images) != 1:
            raise Trouble(_expect(good=False, job=job).why)
        return self._given(job, "images")

    def _without_references(self) -> Cell:
        try:
            self._draw("", references=[{"id": _PICTURE, "role": "style"}])
        except Trouble as refused:
            lacks = "takes no input images" in str(refused)
            return Cell(LACKS if lacks else WRONG, str(refused))
        return Cell(WRONG, "a reference was taken by a model that takes none")

    def _refusal(self) -> Cell:
        if not self.remote:
            return Cell(UNTRIED, "it draws whatever is asked")
        job = self._job(prompt=_REFUSED)
        reasons = [failure["reason"] for failure in job.outcome["failures"]]
        return _expect(reasons == ["CONTENT_REFUSED"] and not job.images, job)

    def _throttled(self) -> Cell:
        """Draw what its vendor puts off, by its `words`, TIMES times: bought once in the end."""
        if not self.remote:
            return Cell(UNTRIED, "nobody throttles it")
        job = self._job(prompt=f"{PROMPT}, {self.words}")
        return _expect(len(job.images) == 1 and len(self._charges(job)) == 1, job)

    def _cancel(self) -> Cell:
        slow = {} if self.remote else {"parameters": {self.key: {"seconds": SLOW}}}
        job = self._job(cancel_at="progress", **slow)
        if job.images and not self.can["cancelable"]:
            return Cell(LACKS, "what it has begun it draws to its end, and that is kept")
        told = [failure["charged"] for failure in job.outcome["failures"]]
        true = told == [bool(self._charges(job))]
        return _expect(job.outcome["state"] == "canceled" and true, job)

    def _cost(self) -> Cell:
        """Compare what we say that all this has cost with what the vendor charged."""
        paid: dict[str, float] = defaultdict(float)
        for charge in self._charges_of_all():
            paid[str(charge["purchase_id"])] += charge["usd"]
        for job in self._jobs:
            charged, told = sum(paid[key] for key in job.purchases), job.outcome["cost_usd"]
            over = round(told - charged, 6)
            unknown = any(failure["charged"] is None for failure in job.outcome["failures"])
            if over < 0 or (over > 0 and not unknown):  # what may be charged counts as spent
                why = f"charged {charged:.6f}, told {told:.6f}"
                return Cell(WRONG, f"job {job.outcome['job_id']}: {why}")
        return Cell(OK)

    def _charges(self, job: Job) -> list[Row]:
        return [c for c in self._charges_of_all() if c["purchase_id"] in job.purchases]

    def _given(self, job: Job, name: str) -> list[Any]:
        """What the vendor was given as *name*, by its own word: an entry a call."""
        return [charge["given"][name] for charge in self._charges(job)]

    def _has(self, job: Job, name: str, kept: list[Any], wanted: object) -> Cell:
        """Whether what it says it can take has reached its vendor; it warns where it cannot."""
        if not self.can[name]:
            warned = job.of("warning")
            return (
                Cell(LACKS, warned[0]["message"]) if warned else Cell(WRONG, "left out in silence")
            )
        if kept != [wanted]:
            return _expect(good=False, job=job)
        if not self.remote:
            return self._shows(job, name)
        given = self._given(job, name)
        right = given and all(each == wanted for each in given)
        return Cell(OK) if right else Cell(WRONG, f"its vendor was given {given}, not {wanted!r}")

    def _shows(self, job: Job, name: str) -> Cell:
        """Whether the picture of *job* goes with *name*: nobody else tells what was taken."""
        asked: dict[str, Any] = {"seed": _SEED}
        other = {"seed": _SEED + 1} if name == "seed" else asked
        if name == "negative_prompt":
            asked = asked | {name: _UNWANTED}
        same, another = self._draw("", **asked), self._draw("", **other)
        if job.hashes == same.hashes != another.hashes:
            return Cell(OK)
        return Cell(WRONG, f"its pictures do not go with the {name.replace('_', ' ')}")

    def _draw(self, name: str, **request: Any) -> Job:
        """Run a job that must bring pictures, and show them under *name*."""
        job = self._job(**request)
        self.shown += [(name, _small(image)) for image in job.images if name]
        return job

    def _job(self, cancel_at: str = "", **request: Any) -> Job:
        request = {"prompt": PROMPT, "models": [self.key], **request}
        job = Job([])
        for event in self.edge.generate(request, str(uuid.uuid4()), say):
            if self._left.is_set():
                raise Left
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
        return Cell(OK)
    outcome = job.outcome
    brought = f"{outcome['state']}, {len(job.images)} images"
    return Cell(WRONG, f"job {outcome['job_id']}: {brought}, {outcome['failures']}")


def _ratio(width: float | str, height: float | str) -> float:
    return float(width) / float(height)


def _small(image: dict[str, Any]) -> str:
    """Return where a small picture of *image* is: an SVG has none, and is itself one."""
    url = str(image["vault_url"])
    return url if image["media_type"] == "image/svg+xml" else f"{url}/thumbnail"
