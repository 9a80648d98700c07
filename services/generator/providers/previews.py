"""
Unfinished pictures in a stream of server-sent events, handed on while it passes.

They are to look at and nothing hangs on them: what makes no sense, or is too long, is passed
over. The picture itself is read of the receipt, when that is durable.
"""

import base64
import json
from dataclasses import dataclass, field

from chassis import faults
from services.generator import provider as seam

_END = b"\n\n"  # of an event
_KIND = b".partial_image"
_HEAD = 200  # bytes of an event that tell its kind
_LONGEST = 32 << 20  # bytes of one that is looked at


@dataclass(slots=True)
class Previews:
    """Takes a stream with `feed` as it comes, and tells of its previews."""

    tell: seam.Report
    _held: bytearray = field(default_factory=bytearray)
    _looked: int = 0  # bytes of it without an end

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        self._held += chunk
        while (end := self._held.find(_END, max(0, self._looked - 1))) >= 0:
            self._event(bytes(self._held[:end]))
            del self._held[: end + len(_END)]
            self._looked = 0
        self._looked = len(self._held)
        if self._looked > _LONGEST:
            del self._held[:-1]  # its kind goes, too: what comes of it is passed over
            self._looked = 1

    def _event(self, event: bytes) -> None:
        if _KIND not in event[:_HEAD]:
            return
        try:
            told = json.loads(event[event.index(b"data:") + 5 :])
            image = base64.b64decode(told["b64_json"], validate=True)
            number = int(told["partial_image_index"])
        except (ValueError, LookupError, TypeError):
            return
        faults.point("preview.came")
        self.tell(seam.Preview(image, number))
