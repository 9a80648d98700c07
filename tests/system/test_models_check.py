"""`studio models --check` on a whole stack: what is right is ok, and what is wrong is WRONG."""

import json
import signal
import subprocess
import sys

import pytest
from PIL import Image

from cli.trials import CASES
from tests import patient
from tests.leash import leashed


def checked(lit, *models):
    only = [word for model in models for word in ("--only", model)]
    done = lit.studio("models", "--check", *only, "--json", patience=900)
    return done, json.loads(done.stdout)


def marks(cells):
    return {name: cell["mark"] for name, cell in cells.items()}


def test_every_model_does_all_that_it_says(lit, vendors):
    """
    The whole table, as whoever runs it has it: the real command, each model and each case.

    Nobody waits for the CDN to take an SVG, which it never gets.
    """
    listed = patient.get(f"{lit.url}/images/models").json()["models"]
    done, cells = checked(lit)
    assert not {(key, name): cell for key, of in cells.items() for name, cell in of.items()
                if cell["mark"] == "WRONG"}  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert cells.keys() == {model["key"] for model in listed}
    for model in listed:
        of, can = cells[model["key"]], model["capabilities"]
        assert tuple(of) == CASES
        assert expected(model["provider"], can).items() <= marks(of).items(), of
    struck = [one for one in vendors.ledger() if one["vendor"] != "cloudinary"]
    assert {one["vendor"] for one in struck} == {"replicate", "recraft", "openai", "google"}
    assert len({one["purchase_id"] for one in struck}) == len(struck)
    shows_each(lit.data / "contact-sheet.png", len(listed))
    page = (lit.data / "contact-sheet.html").read_text()
    assert page.count("<tr>") == len(listed)
    assert page.count("data:image/svg+xml") >= 4  # of recraft-v3-vector alone


def expected(provider, can):
    """What each cell has to be; whether it can be canceled is told by what it did."""
    marks = dict.fromkeys(("plain", "count 4", "aspects", "cost"), "ok")
    able = {"negative": "negative_prompt", "seed": "seed", "reference": "max_references"}
    marks |= {case: "ok" if can[name] else "lacks" for case, name in able.items()}
    marks |= {"cancel": "ok"} if can["cancelable"] else {}
    marks |= dict.fromkeys(("refusal", "429"), "-" if provider == "sketch" else "ok")
    return marks


def shows_each(path, rows):
    """Assert that each row of the sheet begins with a picture, and not with a grey square."""
    with Image.open(path) as sheet:
        high = (sheet.height - 12) // rows
        for row in range(rows):
            first = sheet.crop((176, row * high + 12, 176 + 112, row * high + 12 + 112))
            assert len(first.getcolors(2**16)) > 100, row


def test_a_charge_that_nobody_tells_us_of_makes_the_cost_wrong(lit, vendors):
    """Each order is made twice; no webhook tells of the second one before the job is over."""
    twice = {"vendor": "replicate", "where": "create", "kind": "duplicate"}
    deaf = {"vendor": "replicate", "where": "webhook", "kind": "drop_before"}
    vendors.faults([twice, deaf])
    done, cells = checked(lit, "flux-schnell")
    assert done.returncode == 1
    assert marks(cells["flux-schnell"])["429"] == "WRONG"
    cost = cells["flux-schnell"]["cost"]
    assert cost["mark"] == "WRONG"
    assert "charged 0.006000, told 0.003000" in cost["why"]


def test_a_model_that_cannot_draw_here_is_misuse(lit):
    done = lit.studio("models", "--check", "--only", "sketch", "--only", "nothing", "--json")
    assert done.returncode == 2
    assert "cannot draw here: nothing" in done.stderr
    assert done.stdout == ""


def test_on_a_terminal_the_table_stands_in_100_columns(lit, vendors):
    done = lit.studio("models", "--check", "--only", "sketch", FORCE_COLOR="1", COLUMNS="100")
    table = done.stdout.splitlines()
    assert len(table) == 2  # the head and one row, neither folded
    assert "reference" in table[0]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_it_has_what_was_found_and_the_lab_as_it_was(lit, vendors, how):
    vendors.pace(0.07)
    words = ("models", "--check", "--only", "sketch", "--only", "flux-schnell", "--json")
    process = subprocess.Popen(
        leashed([sys.executable, "-P", "-m", "cli", *words]),
        env=lit.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while "drawing" not in process.stderr.readline():
        pass
    lit.await_(lambda: vendors.ask("GET", "/_lab/pace")["seconds"] == 0.1)
    process.send_signal(how)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(told).keys() == {"sketch", "flux-schnell"}
    assert vendors.ask("GET", "/_lab/pace")["seconds"] == 0.07
    assert vendors.faults() == []
