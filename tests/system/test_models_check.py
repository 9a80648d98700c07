"""`studio models --check` on a whole stack: what is right is ok, and what is wrong is WRONG."""

import json
import signal
import subprocess
import sys

import pytest
from PIL import Image

from tests.leash import leashed

GOOD = {"ok", "lacks", "-"}


def checked(lit, *models):
    only = [word for model in models for word in ("--only", model)]
    done = lit.studio("models", "--check", *only, "--json")
    return done, json.loads(done.stdout)


def marks(cells):
    return {name: cell["mark"] for name, cell in cells.items()}


def test_a_model_that_is_bought_and_one_that_is_built_in_do_what_they_say(lit, vendors):
    done, cells = checked(lit, "flux-schnell", "sketch")
    assert done.returncode == 0, done.stderr
    assert cells.keys() == {"flux-schnell", "sketch"}
    for of in cells.values():
        assert set(marks(of).values()) <= GOOD, of
        assert [marks(of)[case] for case in ("plain", "count 4", "aspects")] == ["ok"] * 3
        assert marks(of)["cancel"] == marks(of)["cost"] == "ok"
    assert marks(cells["flux-schnell"])["refusal"] == marks(cells["flux-schnell"])["429"] == "ok"
    with Image.open(lit.data / "contact-sheet.png") as sheet:
        assert len(sheet.getcolors(2**20)) > 100  # pictures, and no grey squares


def test_models_that_take_input_images_draw_from_what_they_drew(lit, vendors):
    """Aspects by the dozen take their time, so that two models stand for all."""
    done, cells = checked(lit, "flux-1.1-pro", "ideogram-v2-turbo")
    assert done.returncode == 0, done.stderr
    assert [marks(of)["reference"] for of in cells.values()] == ["ok", "ok"]


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


def test_a_drawing_and_who_answers_at_once_do_what_they_say_side_by_side(lit, vendors):
    """Nobody waits for the CDN to take an SVG, which it never gets."""
    done, cells = checked(lit, "recraft-v3-vector", "gpt-image-2.6-flare")
    assert done.returncode == 0, (done.stderr, cells)
    assert marks(cells["recraft-v3-vector"])["429"] == "ok"
    assert marks(cells["gpt-image-2.6-flare"])["cancel"] == "lacks"
    struck = [one for one in vendors.ledger() if one["vendor"] in ("recraft", "openai")]
    assert len({one["purchase_id"] for one in struck}) == len(struck)


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
