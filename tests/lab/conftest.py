"""One lab for all tests in this folder; each finds it as new."""

from collections.abc import Iterator

import pytest

from tests.lab.process import Lab, running_lab


@pytest.fixture(scope="session")
def lab_process() -> Iterator[Lab]:
    with running_lab() as found:
        yield found


@pytest.fixture
def lab(lab_process: Lab) -> Lab:
    lab_process.reset()
    return lab_process
