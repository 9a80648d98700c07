"""Compiled histories are those that are interpreted: the same acts, in the same order."""

import os
import subprocess
import sys

import pytest

from tests.generator import compiled

SCRIPT = """
from tests.generator import campaign, compiled
print(compiled.is_compiled(), campaign.digests(range(0, 6_600, 33)))
"""


@pytest.mark.release
@pytest.mark.skipif(bool(compiled.why_not()), reason=str(compiled.why_not()))
def test_a_compiled_history_is_the_interpreted_one():
    said = [digests(place) for place in (compiled.ROOT, compiled.build())]
    assert [each[0] for each in said] == ["False", "True"]
    assert said[0][1] == said[1][1]


def digests(place):
    """Whether what lies in *place* is compiled, and the hash of 200 histories that it plays."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": f"{place}{os.pathsep}{place / 'gen'}"},
    )  # fmt: skip
    return done.stdout.split()
