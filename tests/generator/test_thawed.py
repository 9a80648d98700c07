"""What is written out for mypyc means what was written."""

import importlib.util
import pickle
import sys
from dataclasses import fields, replace

import pytest

from tests.generator.compiled import MODULES, ROOT
from tests.generator.thawed import thawed

SOURCE = '''"""Values."""
from dataclasses import dataclass, field
from typing import NamedTuple

MOST = 3
_TOLD: dict[str, int] = {"a": MOST}
TWICE = 1
TWICE = 2
A, B = 4, 5

@dataclass(frozen=True, slots=True)
class Order:
    """An order."""
    key: str
    images: int = MOST

    @property
    def is_one(self) -> bool:
        return self.images == 1

@dataclass(slots=True)
class Row:
    order: Order
    notes: list[str] = field(default_factory=list)

@dataclass(frozen=True, slots=True)
class Done:
    """Nothing more is known."""

@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    askable: bool
    lag: float = 0.0

class Standing(NamedTuple):
    stage: str
    missing: frozenset[int] = frozenset()

class Plain:
    def __init__(self, key: str) -> None:
        self.key = key

def kind_of(what: object) -> str:
    match what:
        case Order(key, 1):
            return f"one of {key}"
        case Order(key):
            return f"some of {key}"
    return ""
'''


@pytest.fixture(params=["as it is written", "written out"])
def made(request, tmp_path):
    place = tmp_path / "made_of_values.py"
    place.write_text(SOURCE if request.param == "as it is written" else thawed(SOURCE))
    spec = importlib.util.spec_from_file_location(place.stem, place)
    module = sys.modules[place.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[place.stem]


def test_values_are_made_alike(made):
    assert made.Order("k").images == 3
    assert made.Order(key="k", images=1).is_one
    assert made.Terms(askable=True).lag == 0.0
    assert repr(made.Row(made.Order("k"))) == "Row(order=Order(key='k', images=3), notes=[])"
    one, other = made.Row(made.Order("k")), made.Row(made.Order("k"))
    one.notes.append("mine alone")
    assert not other.notes
    assert made.Row(made.Order("k"), ["n"]).notes == ["n"]
    with pytest.raises(TypeError):
        made.Terms(True)


def test_values_are_compared_alike(made):
    assert made.Order("k") == made.Order("k", 3) != made.Order("k", 4)
    assert made.Done() == made.Done() != made.Order("k")
    assert {made.Order("k"): 1, made.Standing("s"): 2}[made.Order("k")] == 1
    with pytest.raises(TypeError):
        hash(made.Row(made.Order("k")))
    assert [made.kind_of(made.Order("k", n)) for n in (1, 2)] == ["one of k", "some of k"]


def test_values_are_copied_alike(made):
    row = made.Row(made.Order("k"), ["n"])
    assert pickle.loads(pickle.dumps(row)) == row
    assert replace(row.order, images=7) == made.Order("k", 7)
    assert [each.name for each in fields(made.Row)] == ["order", "notes"]
    drawn = made.Standing("drawn", frozenset({1}))
    assert drawn._replace(stage="kept") == made.Standing("kept", frozenset({1}))
    assert drawn.stage == "drawn"


def test_constants_are_final_that_are_set_once():
    lines = thawed(SOURCE).splitlines()
    assert {"MOST: Final = 3", "_TOLD: Final[dict[str, int]] = {'a': MOST}"} <= set(lines)
    assert {"TWICE = 1", "TWICE = 2"} <= set(lines)


@pytest.mark.parametrize("module", MODULES)
def test_each_compiled_module_can_be_written_out(module):
    compile(thawed((ROOT / module).read_text()), module, "exec")
