"""
A body that comes compressed though nobody asked for it: unpacked rather than lost, since it
was paid for. A few bytes may stand for very many, so that what comes out is counted, too.
"""

import zlib

from services.storage.answers import Answer
from services.storage.sources import Failed, Forbidden

ENCODINGS = frozenset({"gzip", "x-gzip"})
_GZIP = 16 + zlib.MAX_WBITS
_BLOCK = 128 * 1024  # bytes at a time, however many are in it


class Unpacked:
    """The body of *answer* as it was before; *most* is in bytes."""

    told = True  # it has an end of its own, with a checksum

    def __init__(self, answer: Answer, most: int) -> None:
        self._answer, self._most = answer, most
        self._gzip, self._size = zlib.decompressobj(_GZIP), 0

    async def read(self) -> bytes:
        """Return the next piece, empty at its end; raises Failed, Forbidden."""
        while not self._gzip.eof:
            raw = self._gzip.unconsumed_tail or await self._answer.read()
            if not raw:
                raise Failed("the source ended before what is compressed in it")
            if piece := self._unpacked(raw):
                return piece
        if self._gzip.unused_data or await self._answer.read():
            raise Failed("the source goes on after what is compressed in it")
        return b""

    def _unpacked(self, raw: bytes) -> bytes:
        try:
            piece = self._gzip.decompress(raw, _BLOCK)
        except zlib.error as error:
            raise Failed("the source is not compressed as it says") from error
        self._size += len(piece)
        if self._size > self._most:
            raise Forbidden("size", f"more than {self._most} bytes came out", passing=True)
        return piece
