"""A job by its id: how it stands, and its end."""

import json
from typing import Any

import httpx
import pytest

from cli import job
from cli.edge import Edge, Trouble

KEPT = {"url": "http://edge.test/i/abc"}
REFUSED = {"model": "a", "message": "no such thing", "reason": "REFUSED", "charged": False}


def edge(asked: list[str], **told: Any) -> Edge:
    """An edge that knows job 7, and remembers what was *asked*."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.raw_path.decode()}")
        if not request.url.path.startswith("/images/jobs/7"):
            return httpx.Response(404, json={"detail": "There is no job 8.", "status": 404})
        usual = {"job_id": "7", "title": "A fox", "images": [], "failures": [], "cost_usd": 0.04}
        return httpx.Response(200, json=usual | told)

    return Edge("http://edge.test", transport=httpx.MockTransport(answer))


def test_a_job_is_shown_with_its_links_and_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []
    told = {"state": "partially_succeeded", "images": [KEPT], "failures": [REFUSED]}
    job.show(edge(asked, **told), "7", as_json=False)
    found = capsys.readouterr()
    assert asked == ["GET /images/jobs/7"]
    assert found.out == "http://edge.test/i/abc\n"
    assert "job 7, partially succeeded: A fox" in found.err
    assert "a: no such thing (not charged)" in found.err
    assert "1 image kept for $0.04 (job 7)" in found.err


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("canceling", "job 7 is being canceled; what was drawn by then is paid for and kept"),
        ("canceled", "job 7 has ended: canceled"),
        ("partially_succeeded", "job 7 has ended: partially succeeded"),
    ],
)
def test_a_cancel_says_what_becomes_of_it(
    capsys: pytest.CaptureFixture[str], state: str, says: str
) -> None:
    asked: list[str] = []
    job.cancel(edge(asked, state=state), "7", as_json=False)
    assert asked == ["POST /images/jobs/7/cancel"]
    assert says in capsys.readouterr().err


def test_for_scripts_it_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (job.show, job.cancel):
        command(edge([], state="canceling"), "7", as_json=True)
        found = capsys.readouterr()
        assert (json.loads(found.out)["state"], found.err) == ("canceling", "")


def test_an_id_is_one_part_of_the_path() -> None:
    asked: list[str] = []
    for command in (job.show, job.cancel):
        with pytest.raises(Trouble, match="no job 8"):
            command(edge(asked), "8/../7", as_json=False)
    assert asked == ["GET /images/jobs/8%2F..%2F7", "POST /images/jobs/8%2F..%2F7/cancel"]
