"""The commands about what is unclear: what they send, and what they say."""

import json
from typing import Any

import httpx
import pytest

from cli import lists, unclear
from cli.edge import Edge, Trouble

ID = "0190aaaa-0000-7000-8000-000000000001"
DONE = {"job_id": "9", "state": "succeeded", "images": [], "failures": [], "cost_usd": 0.003}


class Wire:
    """Answers as the gateway does, and remembers what was sent."""

    def __init__(self, *, replayed: bool = False, charged: bool = False) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.replayed, self.charged = replayed, charged
        self.edge = Edge("http://edge.test", transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.sent.append((request.url.path, body))
        match request.url.path.rpartition("/")[2]:
            case "retry-unclear":
                estimate = {"reserved_usd": 0.003}
                told = {"job_id": "9", "replayed": self.replayed, "estimate": estimate}
                return httpx.Response(202, json=told)
            case "settle":
                told = {"purchase_id": ID, "charged": self.charged, "cost_usd": 0.002}
                return httpx.Response(200, json={"settlement": told | {"counted_usd": 0.003}})
            case "usage":
                return httpx.Response(200, json=USAGE)
        event = f"id: 1\nevent: completed\ndata: {json.dumps(DONE)}\n\n"
        return httpx.Response(200, content=event.encode())


CAP = {"period": "2026-11", "cap_usd": 5.0, "spent_usd": 1.5, "reserved_usd": 0.25}
LINE = {"key": "", "image_count": 3, "purchase_count": 2, "cost_usd": 1.0}
USAGE = {
    "lines": [LINE | {"at_risk_count": 2, "at_risk_usd": 0.006},
              LINE | {"key": "spring", "at_risk_count": 0, "at_risk_usd": 0.0}],
    "cap": CAP, "total_usd": 2.0, "language_usd": 0.5, "at_risk_count": 3, "at_risk_usd": 0.009,
}  # fmt: skip


def test_the_same_words_are_the_same_request_unless_it_is_said_otherwise() -> None:
    wire = Wire()
    for again, purchases in ((False, []), (False, [ID]), (True, []), (True, [])):
        unclear.retry(wire.edge, "7", purchases, again=again, as_json=True)
    bodies = [body for path, body in wire.sent if path == "/images/jobs/7/retry-unclear"]
    assert bodies[:2] == [{}, {"purchase_ids": [ID]}]
    assert len({body["request_id"] for body in bodies[2:]}) == 2
    assert wire.sent[1][0] == "/images/jobs/9/events"


def test_it_is_said_whether_anything_was_ordered(capsys: pytest.CaptureFixture[str]) -> None:
    unclear.retry(Wire().edge, "7", [], again=False, as_json=True)
    assert "ordered again as job 9, for $0.0030" in capsys.readouterr().err
    unclear.retry(Wire(replayed=True).edge, "7", [], again=False, as_json=True)
    assert "before, as job 9; --again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("charged", "cost", "sent", "said"),
    [(True, 0.002, {"charged": True, "cost_usd": 0.002}, "was charged, $0.0020; $0.0030 counted"),
     (True, 0.0, {"charged": True, "cost_usd": 0.0}, "was charged"),
     (False, None, {"charged": False}, "was not charged; $0.0030 counted")],
)  # fmt: skip
def test_a_settlement_is_sent_as_it_was_said(
    capsys: pytest.CaptureFixture[str], charged: bool, cost: float | None, sent: Any, said: str
) -> None:
    wire = Wire(charged=charged)
    unclear.settle(wire.edge, "7", ID, charged=charged, cost=cost, as_json=False)
    assert wire.sent == [("/images/jobs/7/settle", {"purchase_id": ID} | sent)]
    assert said in capsys.readouterr().err


def test_usage_tells_what_is_at_risk(capsys: pytest.CaptureFixture[str]) -> None:
    lists.usage(Wire().edge, "project", ("", ""), as_json=False)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "none\t3\t2\t$1.00\t$0.0060 in 2 purchases",
        "spring\t3\t2\t$1.00\t-",
    ]
    assert (
        "$2.00 in all, $0.50 of it for language calls; 2026-11: $1.50 spent and $0.25 held of $5.00"
        in err
    )
    assert "at risk: $0.0090 in 3 purchases" in err


@pytest.mark.parametrize(
    ("month", "start", "end"),
    [("2026-11", "2026-11-01", "2026-12-01"), ("2026-12", "2026-12-01", "2027-01-01"),
     ("2026-1", "2026-01-01", "2026-02-01")],
)  # fmt: skip
def test_a_month_is_from_its_first_moment_to_the_next_ones(
    month: str, start: str, end: str
) -> None:
    assert unclear.between(month) == (f"{start}T00:00:00+00:00", f"{end}T00:00:00+00:00")
    assert unclear.between("") == ("", "")


@pytest.mark.parametrize("month", ["2026", "2026-00", "november", "9999-12"])
def test_a_month_that_is_none_is_misuse(month: str) -> None:
    with pytest.raises(Trouble) as trouble:
        unclear.between(month)
    assert trouble.value.status == 400
