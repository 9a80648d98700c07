"""One lab for all tests in this folder; each finds it as new."""

from collections.abc import Iterator

import pytest

from tests.lab.listener import Listener, listening
from tests.lab.process import Lab, running_lab
from tests.lab.replicate_client import Replicate, replicate


@pytest.fixture(scope="session")
def lab_process() -> Iterator[Lab]:
    with running_lab() as found:
        yield found


@pytest.fixture
def lab(lab_process: Lab) -> Lab:
    lab_process.reset()
    return lab_process


@pytest.fixture
def api(lab: Lab) -> Iterator[Replicate]:
    with replicate(lab) as client:
        yield client


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as found:
        yield found
