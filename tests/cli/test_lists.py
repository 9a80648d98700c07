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
    }  # fmt: skip
    return usual | more


MODELS = [
    model("a"),
    model("b", state="disabled"),
    model("c", state="disabled", provider="another", price_per_image_usd=None),
    model("d", state="retired", successor="a", price_per_image_usd=0.0),
    model("e", state="degraded", state_reason="PROVIDER_BALANCE_EMPTY"),
]


def test_a_model_that_cannot_draw_says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    wire = httpx.MockTransport(lambda _: httpx.Response(200, json={"models": MODELS}))
    lists.models(Edge("http://edge.test", transport=wire), as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "a\tready\t$0.04\treplicate\tA",
        "b\tneeds REPLICATE_API_TOKEN\t$0.04\treplicate\tB",
        "c\tneeds a key of another\tunknown\tanother\tC",
        "d\tretired, use a\tfree\treplicate\tD",
        "e\tdegraded: provider balance empty\t$0.04\treplicate\tE",
    ]


def test_what_a_user_wrote_is_no_markup_on_a_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from cli.screen import *; print_table(['t'], [['[/] [red]x']])"],
        env=os.environ | {"FORCE_COLOR": "1", "COLUMNS": "80"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "[/] [red]x" in done.stdout
