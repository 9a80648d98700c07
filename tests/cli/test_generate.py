"""From the command line to a request, and from events to what is printed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.edge import Edge, Event, Trouble
from cli.generate import Order, run
from cli.job import follow
from cli.screen import dollars


def order(**given: Any) -> Order:
    nothing: dict[str, Any] = {
        "prompt": "a boat", "models": [], "count": None, "seed": None, "aspect": "", "size": "",
        "negative_prompt": "", "preset": "", "project": "", "title": "", "parameters": [],
        "references": [], "max_cost_usd": None,
    }  # fmt: skip
    return Order(**nothing | given)


def test_what_is_not_asked_for_is_not_sent() -> None:
    assert order().to_request() == {"prompt": "a boat"}


def test_zero_is_sent() -> None:
    sent = order(seed=0, max_cost_usd=0.0).to_request()
    assert (sent["seed"], sent["max_cost_usd"]) == (0, 0.0)


def test_a_smart_prompt_is_asked_for_declined_or_left_to_the_preset() -> None:
    assert order(smart_prompt=True).to_request()["smart_prompt"] is True
    assert order(smart_prompt=False).to_request()["smart_prompt"] is False


def test_a_parameter_goes_to_its_model_or_to_all() -> None:
    given = order(models=["a", "b-1.5"], parameters=["n=1", "b-1.5.style=ink", "on=true", "x=1=2"])
    assert given.to_request()["parameters"] == {
        "a": {"n": 1, "on": True, "x": "1=2"},
        "b-1.5": {"n": 1, "style": "ink", "on": True, "x": "1=2"},
    }


@pytest.mark.parametrize("given", ["n", "=1", "a.=1", "n=1"])
def test_a_parameter_that_says_too_little_is_misuse(given: str) -> None:
    with pytest.raises(Trouble) as trouble:
        order(parameters=[given]).to_request()
    assert trouble.value.status == 400


def test_a_reference_is_a_file_a_url_or_an_id_and_what_it_is_for(tmp_path: Path) -> None:
    file, asset = tmp_path / "a:b.png", "ab" * 32
    file.write_bytes(b"x")
    url = "https://example.com:443/a.png"
    given = order(references=[f"{file}:style", str(file), url, f"{url}:mask", f"{asset}:edit_base"])
    assert given.to_request()["references"] == [
        {"file": str(file), "role": "style"},
        {"file": str(file)},
        {"uri": url},
        {"uri": url, "role": "mask"},
        {"id": asset, "role": "edit_base"},
    ]


@pytest.mark.parametrize("given", ["nowhere.png", "nowhere.png:style", "", ":mask"])
def test_a_reference_that_is_nowhere_is_misuse(given: str) -> None:
    with pytest.raises(Trouble) as trouble:
        order(references=[given]).to_request()
    assert trouble.value.status == 400


def test_a_reference_that_the_stack_refuses_is_named_as_it_was_given() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"detail": "references[1]: the picture cannot be had."})

    urls = ["https://a.test/1", "https://a.test/2"]
    asked = order(references=urls).to_request()
    with pytest.raises(Trouble, match=r"^--reference https://a.test/2: the picture") as refused:
        run(
            Edge("http://x", transport=httpx.MockTransport(refuse)),
            asked,
            as_json=True,
            open_=False,
        )
    assert refused.value.status == 400


@pytest.mark.parametrize("prompt", ["", "  \n", "\udcff"])
def test_a_prompt_that_is_none_is_misuse(prompt: str) -> None:
    with pytest.raises(Trouble):
        order(prompt=prompt).to_request()


def outcome(state: str, *, images: int, failures: list[dict[str, Any]] | None = None) -> Event:
    kept = [{"url": f"http://x/i/{n}", "model": "m"} for n in range(images)]
    data = {"job_id": "7", "state": state, "images": kept, "failures": failures or []}
    return Event("completed", data | {"cost_usd": 0.0421}, 9)


@pytest.mark.parametrize(
    ("state", "status"),
    [("succeeded", 0), ("partially_succeeded", 1), ("failed", 1), ("canceled", 1)],
)
def test_the_exit_status_tells_whether_all_is_kept(
    state: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(iter([outcome(state, images=2)]), as_json=False) == status
    assert capsys.readouterr().out == "http://x/i/0\nhttp://x/i/1\n"


def test_a_failure_says_why_and_whether_it_was_charged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = {"model": "m[1]", "reason": "CONTENT_REFUSED", "message": "[red]no[/]"}
    failures = [failed | {"charged": charged} for charged in (True, False, None)]
    follow(iter([outcome("failed", images=0, failures=failures)]), as_json=False)
    said = capsys.readouterr()
    assert said.out == ""
    assert "m[1]: [red]no[/] (charged)" in said.err
    assert "(not charged)" in said.err
    assert "(charge unclear)" in said.err


def test_what_was_made_of_the_prompt_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    made = {"prompt": "the sea, [finely] drawn", "enhanced_by": "gpt-6-luna", "cost_usd": 0.0021}
    events = [Event("prompt_enhanced", made, 2), outcome("succeeded", images=1)]
    assert follow(iter(events), as_json=False) == 0
    told = capsys.readouterr().err
    assert "prompt by gpt-6-luna, $0.0021: the sea, [finely] drawn" in told


def test_ctrl_c_prints_what_is_kept_so_far(capsys: pytest.CaptureFixture[str]) -> None:
    def events() -> Any:
        yield Event("accepted", {"job_id": "7"}, 1)
        kept = {"purchase_id": "p", "model": "m", "url": "http://x/i/1", "width": 8, "height": 8}
        yield Event("image_kept", kept, 2)
        raise KeyboardInterrupt

    assert follow(events(), as_json=False) == 130
    said = capsys.readouterr()
    assert said.out == "http://x/i/1\n"
    assert "./studio jobs watch 7" in said.err


def test_an_event_of_a_kind_that_nobody_knows_is_passed_over() -> None:
    unknown = Event("invented_later", {"x": 1}, 2)
    assert follow(iter([unknown, outcome("succeeded", images=1)]), as_json=True) == 0


@pytest.mark.parametrize(
    ("usd", "text"),
    [(0, "$0.00"), (None, "$0.00"), (1.5, "$1.50"), (0.0421, "$0.0421"), (0.000031, "$0.000031")],
)
def test_amounts_show_their_small_change(usd: float | None, text: str) -> None:
    assert dollars(usd) == text


@pytest.mark.parametrize("wrong", [["generate", ""], ["models", "--only", "sketch"]], ids=repr)
def test_what_makes_no_sense_starts_no_stack(tmp_path: Path, wrong: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", *wrong],
        env=os.environ | {"STUDIO_DATA": str(tmp_path / "data")},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, list(tmp_path.iterdir())) == (2, []), done.stderr
