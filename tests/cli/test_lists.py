"""What lists show: which models can draw and what the others need, and text just as it is."""

import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

from cli import lists
from cli.edge import Edge


def model(key: str, **more: Any) -> dict[str, Any]:
    usual = {
        "key": key, "state": "active", "provider": "replicate", "display_name": key.upper(),
        "price_per_image_usd": 0.04, "successor": "",
        "capabilities": {"max_references": 0, "reference_roles": []},
    }  # fmt: skip
    return usual | more


MODELS = [
    model("a", capabilities={"max_references": 3, "reference_roles": ["style"]}),
    model("b", state="disabled"),
    model("c", state="disabled", provider="another", price_per_image_usd=None),
    model("d", state="retired", successor="a", price_per_image_usd=0.0),
    model("r", state="retired", successor="a", retire_time="2026-05-12T00:00:00Z"),
    model("e", state="degraded", state_reason="PROVIDER_BALANCE_EMPTY"),
]


def test_a_model_that_cannot_draw_says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    wire = httpx.MockTransport(lambda _: httpx.Response(200, json={"models": MODELS}))
    lists.models(Edge("http://edge.test", transport=wire), as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "a\tready\t$0.04\t3: style\treplicate\tA",
        "b\tneeds REPLICATE_API_TOKEN\t$0.04\t\treplicate\tB",
        "c\tneeds a key of another\tunknown\t\tanother\tC",
        "d\tretired, use a\tfree\t\treplicate\tD",
        "r\tretired 2026-05-12, use a\t$0.04\t\treplicate\tR",
        "e\tdegraded: provider balance empty\t$0.04\t\treplicate\tE",
    ]


@pytest.mark.parametrize(("retired", "asked"), [(False, {}), (True, {"retired": "true"})])
def test_the_retired_are_asked_for_where_they_are_wanted(
    retired: bool,
    asked: dict[str, str],
) -> None:
    queries = []

    def answer(request: httpx.Request) -> httpx.Response:
        queries.append(dict(request.url.params))
        return httpx.Response(200, json={"models": MODELS})

    edge = Edge("http://edge.test", transport=httpx.MockTransport(answer))
    lists.models(edge, retired=retired, as_json=True)
    assert queries == [asked]


def test_a_job_with_something_at_risk_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    job = {"state": "succeeded", "title": "A fox", "created_at": "2026-11-22T07:00:00Z"}
    risky = job | {"job_id": "9", "cost_usd": 0.01, "at_risk_usd": 0.006, "at_risk_count": 2}
    clear = job | {"job_id": "8", "cost_usd": 0.01, "at_risk_usd": 0.0, "at_risk_count": 0}
    answers = {"2": [risky, clear], "2 true": [risky]}

    def answer(request: httpx.Request) -> httpx.Response:
        asked = " ".join(request.url.params.values())
        return httpx.Response(200, json={"jobs": answers[asked]})

    wire = httpx.MockTransport(answer)
    lists.jobs(Edge("http://edge.test", transport=wire), 2, at_risk=False, as_json=False)
    shown = [
        "9\tsucceeded\t$0.01\t$0.0060 in 2 purchases\t2026-11-22 07:00:00Z\tA fox",
        "8\tsucceeded\t$0.01\t-\t2026-11-22 07:00:00Z\tA fox",
    ]
    assert capsys.readouterr().out.splitlines() == shown
    lists.jobs(Edge("http://edge.test", transport=wire), 2, at_risk=True, as_json=False)
    assert capsys.readouterr().out.splitlines() == shown[:1]


def test_jobs_fit_a_terminal_of_80_columns() -> None:
    """The state stays whole, and so does when it was made."""
    program = """
import httpx
from cli import lists
from cli.edge import Edge
job = {
    "job_id": "1234", "state": "partially_succeeded", "title": "a lighthouse at dawn in fog",
    "created_at": "2026-11-22T07:00:00Z", "cost_usd": 0.0123, "at_risk_usd": 0, "at_risk_count": 0,
}
wire = httpx.MockTransport(lambda _: httpx.Response(200, json={"jobs": [job]}))
lists.jobs(Edge("http://edge.test", transport=wire), 2, at_risk=False, as_json=False)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"FORCE_COLOR": "1", "TERM": "dumb", "COLUMNS": "80"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    first = done.stdout.splitlines()[1]
    assert first.startswith("1234 ")
    for whole in ("partially_succeeded", "$0.0123", "2026-11-22 07:00:00Z"):
        assert whole in first


@pytest.mark.parametrize(("spent", "told"), [(5.75, True), (2.0, False)])
def test_a_cap_below_what_is_spent_says_that_nothing_more_is_drawn(
    spent: float, *, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"cap_usd": 3.0, "spent_usd": spent, "reserved_usd": 0.0, "period": "2026-11"}
    wire = httpx.MockTransport(lambda _: httpx.Response(200, json=found))
    lists.cap(Edge("http://edge.test", transport=wire), "3", as_json=False)
    assert ("until the month ends or the cap is raised" in capsys.readouterr().err) is told


def test_what_a_user_wrote_is_no_markup_on_a_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from cli.screen import *; print_table(['t'], [['[/] [red]x']])"],
        env=os.environ | {"FORCE_COLOR": "1", "COLUMNS": "80"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "[/] [red]x" in done.stdout
