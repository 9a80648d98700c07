"""
The control of the campaign: `studio chaos` on a copy of the product that lacks named defences,
to see that what it then loses and buys twice shows on the sheet.

    python -m tests.system.defenceless [NAME …] [-- --jobs 300 --seed 7 --patience 30]

Without a name all are taken out. Nothing here is part of the product: the copy is made in a
temporary folder, changed there and thrown away. A defence that is not found as it stands here
ends the run, so that nobody believes in a control that removes nothing.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.leash import leashed

CHECKOUT = Path(__file__).parents[2]
_PRODUCT = ("chassis", "cli", "deploy", "gateway", "gen", "lab", "services")


@dataclass(frozen=True, slots=True, kw_only=True)
class Defence:
    """A defence, the text of it in one file, and what stands there without it."""

    says: str
    file: str
    there: str
    without: str
    shows: frozenset[str]  # the checks of the sheet that it keeps green


TWICE = "nothing is charged twice"
PICTURES = "every charged picture is kept, with its bytes"
REQUESTS = "each request is one job"
CAPS = "no cap is passed"

DEFENCES = {
    "sending": Defence(
        says="an order that was under way when its worker died is looked up",
        file="services/catalog/endings.py",
        there="""\
        died = outcome.said("PURCHASE_UNCLEAR", "The worker died while the order was under way.")
        become_unclear(batch, purchase, died)
""",
        without="""\
        permits.give_permit_back(batch, purchase)
        purchase.state, purchase.sent_at, purchase.not_before = "planned", None, None
""",
        shows=frozenset({TWICE, PICTURES}),
    ),
    "answer": Defence(
        says="an answer that was lost is looked up",
        file="services/generator/purchase.py",
        there="""\
    doubt, terms = Doubted(event.why), purchase.terms
""",
        without="""\
    return leave(purchase, Released(0.0, event.why))
    doubt, terms = Doubted(event.why), purchase.terms
""",
        shows=frozenset({TWICE, PICTURES}),
    ),
    "fence": Defence(
        says="an old owner changes nothing",
        file="services/catalog/edges.py",
        there="""\
    if edge.fence != purchase.fence:
        raise guards.stale(purchase)
""",
        without="",
        shows=frozenset(),  # rarely alone: it takes an owner who was taken for dead and lives
    ),
    "page": Defence(
        says="a page is not kept as a picture",
        file="services/storage/fetch.py",
        there="    if inspector.media_type == UNKNOWN and _is_page(",
        without="    if not held and _is_page(",
        shows=frozenset({PICTURES}),
    ),
    "request": Defence(
        says="a request id is one job",
        file="services/catalog/migrations/0001_tables.sql",
        there="""\
    ended_at        TIMESTAMPTZ,
    UNIQUE (user_id, request_id)
)""",
        without="""\
    ended_at        TIMESTAMPTZ
)""",
        shows=frozenset({REQUESTS}),
    ),
    "cap": Defence(
        says="what a job may cost is reserved within the cap",
        file="services/catalog/queries/ledger.sql",
        there="""\
      AND ($19::bigint IS NULL OR s.spent + s.reserved + locked.reserved <= $19)
      AND (s.cap IS NULL OR s.spent + s.reserved + locked.reserved <= s.cap)
""",
        without="      AND ($19::bigint IS NULL OR true)\n",
        shows=frozenset({CAPS}),
    ),
}


@contextmanager
def copy_without(names: Iterable[str]) -> Iterator[Path]:
    """Make a copy of the product without the defences of *names*."""
    with tempfile.TemporaryDirectory(prefix="studio-defenceless-") as place:
        copy = Path(place)
        copy.chmod(0o755)
        for folder in _PRODUCT:
            shutil.copytree(
                CHECKOUT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__")
            )
        for name in names:
            take_out(DEFENCES[name], copy)
        yield copy


def take_out(defence: Defence, copy: Path) -> None:
    """Take *defence* out of *copy*; AssertionError where it does not stand there, once."""
    path = copy / defence.file
    text = path.read_text()
    assert text.count(defence.there) == 1, f"{defence.file} does not hold it: {defence.says}"
    path.write_text(text.replace(defence.there, defence.without))


def campaign(copy: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `studio chaos` of the product in *copy*."""
    return subprocess.run(
        leashed([sys.executable, "-P", "-m", "cli", "chaos", *options]),
        cwd=copy,
        env=os.environ | {"PYTHONPATH": f"{copy}:{copy / 'gen'}:{CHECKOUT}"},
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )


def sheet_without(names: Sequence[str], *options: str) -> dict[str, Any]:
    """The sheet of a campaign on a product without the defences of *names*."""
    with copy_without(names) as copy:
        done = campaign(copy, *options, "--json")
    assert done.returncode in (0, 1), done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    names, options = arguments[:split] or list(DEFENCES), arguments[split + 1 :]
    if unknown := set(names) - set(DEFENCES):
        raise SystemExit(f"{', '.join(sorted(unknown))}: none of {', '.join(DEFENCES)}")
    for name in names:
        print(f"without: {DEFENCES[name].says}", flush=True)
    with copy_without(names) as copy:
        done = campaign(copy, *options)
    print(done.stdout)
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
