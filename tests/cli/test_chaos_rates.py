"""How fast a campaign went: told where it can be told, and nothing where it cannot."""

from collections import Counter

from cli.chaos.campaign import Wanted
from cli.chaos.client import Outcome
from cli.chaos.crowd import rate
from cli.chaos.evidence import Evidence
from cli.chaos.killer import Killer
from cli.chaos.plan import Visit
from cli.chaos.sheet import Sheet, sheet
from cli.chaos.ways import Heard, digest
from cli.chaos.weather import KINDS

VISIT = Visit(
    number=0, user="ada", request_id="0190", request={"prompt": "a tower"}, way="rest-stream",
    leaves=frozenset(), cancels=None, again=frozenset(),
)  # fmt: skip
LAST = Heard("1", 5, "completed", digest(b""))
NOTHING = {"jobs": [], "purchases": [], "outputs": [], "variants": [], "files": [], "events": []}


def outcome(began: float, ended: float) -> Outcome:
    return Outcome(visit=VISIT, log=[LAST], began=began, ended=ended)


def told(calm: float | None, troubled: float | None, struck: Counter[str] | None = None) -> Sheet:
    found = Evidence(
        outcomes=[], ledger={**NOTHING, "spending": [], "permits": []}, charges=[], assets=[],
        pictures=[], caps={}, served={}, retold=[],
    )  # fmt: skip
    return sheet(
        found, Wanted(jobs=20, seed=7, kill_every=1), killer=Killer(list, 7, 1.0),
        struck=struck or Counter(), calm=calm, troubled=troubled, seconds=9.0,
    )  # fmt: skip


def test_a_rate_is_counted_until_the_last_job_begins():
    assert rate([outcome(0, 2), outcome(0, 4), outcome(2, 5), outcome(4, 9)]) == 0.5
    assert "0.5 jobs a second: 50% of the 1.0 without" in str(told(1.0, 0.5))


def test_of_jobs_that_all_began_at_once_no_rate_is_told():
    assert rate([outcome(0.001 * number, 9) for number in range(20)]) is None
    made = told(None, None)
    assert "a second" not in str(made)
    assert made.as_json()["rates"] == {"calm": None, "troubled": None, "share": None}


def test_the_sheet_names_what_never_struck():
    made = told(None, None, Counter(dict.fromkeys(KINDS - {"google create html"}, 1)))
    assert made.as_json()["never_struck"] == ["google create html"]
    assert "\nnever struck: google create html\n" in str(made)
    assert "\nnever struck: none\n" in str(told(None, None, Counter(KINDS)))
    assert told(None, None, Counter(dict.fromkeys(KINDS, 0))).as_json()["never_struck"] == sorted(
        KINDS
    )
