"""
The notes beside the vault's files as a rebuild reads them: pictures that were paid for, by job,
and files that users sent. No I/O.

A note has what storage knows of the file and, in `provenance`, what the catalog knew of the
purchase. Older notes lack that: what they do not say is made up so that the row can be there.
"""

import json
import math
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from google.protobuf import json_format

from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.type.v1 import image_pb2, job_pb2

_TITLE = 80  # characters of the prompt that stand in for a title


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of one user."""

    user_id: int
    record: ledger_pb2.FileRecord
    created_at: datetime


@dataclass(slots=True, kw_only=True)
class Picture:
    """One output of one purchase, safe in the vault."""

    purchase_id: str
    index: int
    model: str
    file: File
    told: ledger_pb2.Provenance  # empty in parts where the note is an older one
    variant_id: int | None = None  # where it was written down
    version: int | None = None

    @property
    def outputs(self) -> int:
        """How many images its call brought, as far as is known."""
        return max(self.told.outputs, self.index + 1)

    def order(self) -> tuple[float, datetime, str, int]:
        """Sort by what tells when it was kept; what has no version comes after what has."""
        version = math.inf if self.version is None else self.version
        return version, self.file.created_at, self.purchase_id, self.index


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What the CDN has of a file."""

    url: str
    thumbnail_url: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a vendor answered to an order, of which the vault has no picture."""

    purchase_id: str
    provider: str
    size_bytes: int
    created_at: str  # RFC 3339

    def __str__(self) -> str:
        place = f"receipts/{self.purchase_id[-2:]}/{self.purchase_id}"
        return f"{place}: {self.size_bytes} bytes of {self.provider}, of {self.created_at}"


@dataclass(slots=True)
class JobOfVault:
    """All that the vault has of one job, the pictures in the order in which they were kept."""

    job_id: int
    pictures: list[Picture] = field(default_factory=list)

    @property
    def user_id(self) -> int:
        return self.pictures[0].file.user_id

    @property
    def created_at(self) -> datetime:
        """When it was admitted; of an older note, when the first picture was kept."""
        told = self.pictures[0].told.job
        if told.HasField("create_time"):
            return told.create_time.ToDatetime(UTC)
        return self.pictures[0].file.created_at

    def row(self) -> job_pb2.Job:
        """Return the job's row, complete."""
        told, prompt = job_pb2.Job(), self.pictures[0].told.job.spec.prompt
        told.CopyFrom(self.pictures[0].told.job)
        told.original_prompt = told.original_prompt or prompt
        told.title = told.title or told.original_prompt[:_TITLE]
        told.request_id = told.request_id or str(uuid.uuid5(uuid.NAMESPACE_OID, told.name))
        if not told.spec.models:
            told.spec.models.extend(dict.fromkeys(each.model for each in self.pictures))
        if not told.spec.HasField("count"):
            told.spec.count = max(1, len(self.pictures) // len(told.spec.models))
        return told

    def purchases(self) -> dict[str, list[Picture]]:
        """Return its pictures by purchase, those of one in the order of their outputs."""
        found: dict[str, list[Picture]] = defaultdict(list)
        for picture in self.pictures:
            found[picture.purchase_id].append(picture)
        return {key: sorted(each, key=lambda one: one.index) for key, each in found.items()}


@dataclass(slots=True)
class Sidecars:
    """
    What a whole vault says; *unread* counts the notes that nobody can place.

    *numbers* has variant and version, by purchase and output, of most of what was kept.
    """

    jobs: dict[int, JobOfVault] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)  # that users sent
    copies: dict[tuple[int, str], Copy] = field(default_factory=dict)  # by user and hash
    subjects: dict[int, str] = field(default_factory=dict)  # by user; empty where no note tells
    numbers: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    unread: int = 0

    @classmethod
    def read(cls, lines: Iterable[str]) -> "Sidecars":
        """Read notes, a JSON object a line; the same picture told twice is one."""
        found, seen = cls(), set[tuple[str, int]]()
        for line in lines:
            try:
                found._take(json.loads(line), seen)
            except (ValueError, KeyError, TypeError, json_format.ParseError):
                found.unread += 1
        for job in found.jobs.values():
            for picture in job.pictures:
                key = (picture.purchase_id, picture.index)
                picture.variant_id, picture.version = found.numbers.get(key, (None, None))
            job.pictures.sort(key=Picture.order)
        found.jobs = dict(sorted(found.jobs.items()))
        return found

    def _take(self, note: Mapping[str, Any], seen: set[tuple[str, int]]) -> None:
        if "answer" in note:
            purchase_id = str(uuid.UUID(note["answer"]))
            facts = {name: note[name] for name in ("provider", "size_bytes", "created_at")}
            self.answers.append(Answer(purchase_id=purchase_id, **facts))
            return
        key = (note.get("purchase_id", ""), note.get("output_index", 0))
        if "variant" in note:
            variant_id = int(note["variant"].rpartition("/")[2])
            self.numbers[key] = (variant_id, int(note["version_number"]))
            return
        file = _file(note)
        told = _told(note)
        self.subjects[file.user_id] = self.subjects.get(file.user_id) or told.subject
        if "cdn_url" in note:
            at = datetime.fromisoformat(note["published_at"])
            copy = Copy(url=note["cdn_url"], thumbnail_url=note["cdn_thumbnail_url"], at=at)
            self.copies[file.user_id, file.record.image_hash] = copy
        if not key[0]:
            self.files.append(file)
        elif key not in seen:
            job_id = int(note["job"].removeprefix("jobs/"))
            picture = Picture(
                purchase_id=str(uuid.UUID(key[0])),
                index=key[1],
                model=note["model"],
                file=file,
                told=told,
            )
            self.jobs.setdefault(job_id, JobOfVault(job_id)).pictures.append(picture)
            seen.add(key)


def _file(note: Mapping[str, Any]) -> File:
    record = ledger_pb2.FileRecord(
        image_hash=note["image_hash"],
        link=note["link"],
        media_type=note["media_type"],
        size_bytes=note["size_bytes"],
        size=image_pb2.PixelSize(width=note["width"], height=note["height"]),
        readable=note["readable"],
    )
    at = datetime.fromisoformat(note["created_at"])
    return File(user_id=note["user_id"], record=record, created_at=at)


def _told(note: Mapping[str, Any]) -> ledger_pb2.Provenance:
    told = json_format.ParseDict(
        note.get("provenance") or {}, ledger_pb2.Provenance(), ignore_unknown_fields=True
    )
    told.job.name = note.get("job", "")
    told.job.spec.prompt = note.get("prompt", "")
    told.image.image_hash = note["image_hash"]
    return told
