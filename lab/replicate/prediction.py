"""A prediction: what was ordered, how far it is, and how the API tells it."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lab.replicate import telling
from lab.replicate.catalogue import Model
from lab.replicate.sizes import Plan

KEPT = timedelta(hours=1)  # from the end; then input, output, logs and files are removed


@dataclass(frozen=True, slots=True)
class Hook:
    """Where webhooks go, of which events, and whose purchase it is."""

    url: str
    events: frozenset[str]
    purchase_id: str | None


@dataclass(eq=False, slots=True, kw_only=True)
class Prediction:
    """One order; *seconds* and *queue* are how long drawing takes and when it begins."""

    id: str
    model: Model
    version: str
    inputs: dict[str, Any]
    plan: Plan
    hook: Hook | None
    created: datetime
    queue: float
    seconds: float
    stop_at: datetime | None
    seed: int
    status: str = "starting"
    started: datetime | None = None
    ended: datetime | None = None
    error: str | None = None
    files: tuple[str, ...] = ()
    handed_out: dict[int, str] = field(default_factory=dict)  # SHA-256 of a file, by its place
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def prompt(self) -> str:
        return str(self.inputs.get("prompt", ""))

    def is_removed(self, now: datetime) -> bool:
        """Whether its input, output and files are gone."""
        return self.ended is not None and now - self.ended >= KEPT

    def logs(self, now: datetime) -> str:
        """What the model has written by *now*."""
        if self.started is None or self.status == "aborted":
            return ""
        ran = ((self.ended or now) - self.started).total_seconds()
        share = 1.0 if self.status == "succeeded" or not self.seconds else ran / self.seconds
        return telling.logs(self, ran, min(1.0, share))

    def output(self) -> str | list[str] | None:
        """Its files, as a list or as one, whichever the model gives."""
        if self.model.gives_list:
            return list(self.files) if self.status == "succeeded" else None
        return self.files[0] if self.files else None

    def as_json(self, now: datetime, base: str, *, shows_webhook: bool) -> dict[str, Any]:
        """The prediction as GET tells it at *now*."""
        removed = self.is_removed(now)
        found: dict[str, Any] = {
            "id": self.id,
            "model": self.model.slug,
            "version": self.version,
            "input": {} if removed else telling.shown(self.model, self.inputs),
            "logs": "" if removed else self.logs(now),
            "output": None if removed else self.output(),
            "data_removed": removed,
            "error": self.error,
            "status": self.status,
            "created_at": telling.milliseconds(self.created),
            "urls": telling.urls(base, self.id),
        }
        if self.started:
            found["started_at"] = telling.microseconds(self.started)
        if self.ended:
            found["completed_at"] = telling.microseconds(self.ended)
        if self.started and self.ended:
            found["metrics"] = self._metrics(self.started, self.ended)
        if self.hook and shows_webhook:
            found["webhook"] = self.hook.url
        return found

    def _metrics(self, started: datetime, ended: datetime) -> dict[str, float]:
        found: dict[str, float] = {
            "predict_time": (ended - started).total_seconds(),
            "total_time": (ended - self.created).total_seconds(),
        }
        return found | ({"image_count": len(self.files)} if self.status == "succeeded" else {})
