"""
`studio chaos`: processes are killed under load, vendors misbehave, and the books balance; and
where a defence is taken out of the product the same campaign says so.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.leash import leashed
from tests.system.defenceless import (
    CAPS,
    CHECKOUT,
    DEFENCES,
    PICTURES,
    REQUESTS,
    TWICE,
    sheet_without,
    take_out,
)

HASTY = ("--patience", "60")  # without its defences some of it is never through
KILLABLE = {
    "catalog", "envoy", "gateway", "generator-1", "generator-2", "nats", "postgres", "storage",
}  # fmt: skip


def chaos(*options: str) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "cli", "chaos", "--json", *options]
    done = subprocess.run(
        leashed(command), cwd=CHECKOUT, check=False, capture_output=True, text=True
    )
    assert done.stdout, done.stderr
    sheet: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if sheet["holds"] else 1)
    return sheet


def broken(sheet: dict[str, Any]) -> dict[str, list[str]]:
    """What does not hold."""
    return {check["check"]: check["bad"] for check in sheet["checks"] if not check["holds"]}


def line(sheet: dict[str, Any], what: str) -> dict[str, int]:
    (found,) = (each for each in sheet["balance"] if each["what"] == what)
    return found


def test_300_jobs_among_kills_and_bad_days_lose_and_double_nothing():
    sheet = chaos("--jobs", "300", "--kill-every", "1.5", "--seed", "1")
    assert not broken(sheet), sheet
    assert sheet["visits"] == 300
    assert sheet["jobs"] == 300 - sheet["refused"] > 200
    assert sum(sheet["killed"].values()) >= 20
    assert sheet["never_struck"] == []
    assert min(sheet["clients"].values()) > 0
    kept = line(sheet, "kept")
    assert kept["charges"] == kept["purchases"] > 150
    assert kept["images"] == kept["outputs"] > 200
    assert kept["charged_micros"] == kept["booked_micros"]


@pytest.mark.release
def test_10_000_jobs_with_a_kill_each_second_lose_and_double_nothing():
    sheet = chaos("--jobs", "10000", "--kill-every", "1", "--seed", "2")
    assert not broken(sheet), sheet
    assert sheet["killed"].keys() == KILLABLE
    assert sheet["visits"] == 10_000
    assert sheet["never_struck"] == []
    assert min(sheet["clients"].values()) > 100


@pytest.mark.release
def test_listings_that_are_half_a_minute_late_double_nothing():
    sheet = chaos(
        "--jobs", "300", "--kill-every", "1.5", "--seed", "4", "--lag", "30", "--at-once", "60",
    )  # fmt: skip
    assert not broken(sheet), sheet
    assert sheet["faults"]["replicate list lag"] > 100
    assert line(sheet, "kept")["charges"] > 150


@pytest.mark.parametrize("name", DEFENCES)
def test_a_defence_is_taken_out_where_it_stands(name, tmp_path):
    file = tmp_path / DEFENCES[name].file
    file.parent.mkdir(parents=True)
    file.write_text((CHECKOUT / DEFENCES[name].file).read_text())
    take_out(DEFENCES[name], tmp_path)
    assert file.read_text() != (CHECKOUT / DEFENCES[name].file).read_text()


@pytest.mark.release
def test_without_its_defences_the_product_loses_and_doubles_and_the_sheet_says_so():
    sheet = sheet_without(
        list(DEFENCES), "--jobs", "300", "--kill-every", "1.5", "--seed", "1", *HASTY
    )
    assert {TWICE, PICTURES, REQUESTS, CAPS} <= broken(sheet).keys()
    total = line(sheet, "in all")
    assert total["charges"] > total["purchases"]
    assert total["images"] > total["outputs"]


@pytest.mark.release
@pytest.mark.parametrize("name", [name for name, each in DEFENCES.items() if each.shows])
def test_each_defence_by_itself_is_missed(name):
    sheet = sheet_without([name], "--jobs", "300", "--kill-every", "1", "--seed", "3", *HASTY)
    assert DEFENCES[name].shows <= broken(sheet).keys()
