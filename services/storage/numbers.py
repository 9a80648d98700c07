"""How the catalog has numbered what is kept, written into the vault as lines of JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from imagestudio.storage.v1 import storage_service_pb2 as pb
from services.storage.names import check_purchase, invalid
from services.storage.room import Room
from services.storage.vault import Vault

_MOST = 1000  # in one call


@dataclass(frozen=True, slots=True)
class Numbers:
    """Writes into *vault*; *room* is told where there is none."""

    vault: Vault
    room: Room

    async def record(self, numbers: Sequence[pb.VariantNumber]) -> None:
        """Write *numbers* down, durably; Invalid, Exhausted."""
        if len(numbers) > _MOST:
            raise invalid("variants", f"give {_MOST} at most")
        if numbers:
            async with self.room.watched():
                await self.vault.record(b"".join(_line(each) for each in numbers))


def _line(number: pb.VariantNumber) -> bytes:
    found = {
        "purchase_id": check_purchase(number.purchase_id),
        "output_index": number.output_index,
        "variant": number.variant,
        "version_number": number.version_number,
    }
    return json.dumps(found).encode() + b"\n"
