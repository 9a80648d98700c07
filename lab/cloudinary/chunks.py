"""Large files in parts: in order, each but the last of 5 MB or more, whole at the end."""

import re
from dataclasses import dataclass, field

from lab.cloudinary.refusals import Refusal, missing

_LEAST = 5 * 1024 * 1024  # bytes in every chunk but the last
_RANGE = re.compile(r"bytes (\d{1,12})-(\d{1,12})/(\d{1,12}|-1)")


@dataclass(slots=True)
class _Half:
    """A file that has not come whole yet."""

    content: bytearray = field(default_factory=bytearray)
    total: int = -1  # -1: the client does not know yet


class Chunks:
    """The files under way, by the id that their client gave them."""

    def __init__(self) -> None:
        self._halves: dict[str, _Half] = {}

    def add(self, upload_id: str | None, content_range: str, chunk: bytes) -> bytes | int:
        """The whole file with its last chunk; before that, how many bytes there are."""
        if not upload_id:
            raise missing("X-Unique-Upload-Id")
        first, last, total = _parsed(content_range, len(chunk))
        half = self._halves.get(upload_id) or _Half(total=total)
        _check(half, first, total)
        is_last = last + 1 == total
        if not is_last and len(chunk) < _LEAST:
            raise Refusal(400, f"Chunks must be at least {_LEAST} bytes, except for the last one")
        self._halves[upload_id] = half
        half.content += chunk
        half.total = total
        if not is_last:
            return len(half.content)
        del self._halves[upload_id]
        return bytes(half.content)

    def clear(self) -> None:
        self._halves.clear()


def _parsed(content_range: str, length: int) -> tuple[int, int, int]:
    if not (found := _RANGE.fullmatch(content_range)):
        raise Refusal(400, f"Invalid Content-Range - {content_range}")
    first, last, total = (int(number) for number in found.groups())
    if last - first + 1 != length or (total != -1 and last >= total):
        raise Refusal(400, f"Content-Range does not match the {length} bytes sent")
    return first, last, total


def _check(half: _Half, first: int, total: int) -> None:
    if first != len(half.content):
        raise Refusal(400, f"Chunks must be sequential - expected byte {len(half.content)}")
    if half.total not in {-1, total}:
        raise Refusal(400, f"Content-Range total changed from {half.total} to {total}")
