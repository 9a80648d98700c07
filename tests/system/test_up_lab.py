"""`studio up --lab`: the lab runs with the stack, in every vendor's place."""

import json
from collections.abc import Iterator

import pytest

from tests import patient
from tests.postgres import temporary_data
from tests.system.replica import told
from tests.system.stack import Stack, running_stack

TOKEN = "r8_a-real-one-that-costs"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack("--lab", REPLICATE_API_TOKEN=TOKEN) as found:
        yield found


def test_the_lab_is_a_process_of_the_stack_and_comes_back(stack: Stack) -> None:
    found = {one["name"]: one["port"] for one in json.loads(stack.studio("ps", "--json").stdout)}
    assert found["lab"] == stack.port("LAB_PORT")
    stack.kill_and_await("lab")
    clock = f"http://127.0.0.1:{stack.port('LAB_PORT')}/_lab/clock"
    assert patient.get(clock).status_code == 200


def test_it_stands_for_the_vendors_and_says_so(stack: Stack) -> None:
    generator, storage = told(stack, "generator-1"), told(stack, "storage")
    assert generator["REPLICATE_API_TOKEN"] == "r8_lab"
    assert storage["CLOUDINARY_URL"] == "cloudinary://lab:lab-secret@lab"
    assert not any(TOKEN in told(stack, name).values() for name in stack.ps())
    assert any("without effect beside it: REPLICATE_API_TOKEN" in line for line in stack.said)
    dies = "links to its CDN"
    assert sum(dies in line for line in stack.said) == 1
    doctor = stack.studio("doctor", "--json")
    assert doctor.returncode == 0
    assert "the lab stands for every vendor" in doctor.stdout
    assert TOKEN not in doctor.stdout


def test_its_jobs_are_never_bought_for_real_nor_real_ones_asked_for_there(stack: Stack) -> None:
    assert (stack.data / "VENDORS").read_text() == "lab\n"
    with temporary_data() as data:
        other = Stack(data, {"REPLICATE_API_TOKEN": TOKEN})
        for who, command in (("lab", ("up",)), ("vendors", ("up", "--lab"))):
            (data / "VENDORS").write_text(f"{who}\n")
            refused = other.studio(*command)
            assert refused.returncode == 1
            assert f"the jobs in {data} were made with" in refused.stderr
            assert "set STUDIO_DATA to another folder" in refused.stderr
            assert other.ps() == {}


def test_who_asks_for_the_lab_is_served_by_it(stack: Stack) -> None:
    done = stack.studio("generate", "for nothing", "--lab", "--size", "64x64")
    assert done.returncode == 0, done.stderr
