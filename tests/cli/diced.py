"""A process of the tests that tells what would throw alike in all forks."""

import json

from tests.cli.forked import dice


def main() -> None:
    print(json.dumps(dice()), flush=True)
