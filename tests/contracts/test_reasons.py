"""The contract names the reasons that are told, and no others."""

from pathlib import Path

from imagestudio.type.v1 import error_reason_pb2
from tests.contracts.files import files

ROOT = Path(__file__).parents[2]


def sources() -> str:
    """All code that may tell a reason."""
    folders = ("chassis", "gateway", "services")
    found = [file for folder in folders for file in files(ROOT / folder, "*.py")]
    return "\n".join(file.read_text() for file in found)


def test_every_reason_is_told_by_something():
    told, told_of = sources(), error_reason_pb2.ErrorReason.items()
    names = [name.removeprefix("ERROR_REASON_") for name, _number in told_of]
    assert [each for each in names if each != "UNSPECIFIED" and f'"{each}"' not in told] == []
