"""The supervisor on the real stack: what dies is back, what ends is gone, nothing is left."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli.processes import METRICS
from tests import patient
from tests.postgres import temporary_data
from tests.system.stack import CHECKOUT, Stack, alive, running_stack

NAMES = ("postgres", "nats", "catalog", "storage", "generator-1", "gateway", "envoy")


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_process_is_started_again(stack: Stack, name: str) -> None:
    heard = len(stack.said)
    killed = stack.kill(name)
    took = stack.await_(lambda: stack.ps().get(name, killed) != killed)
    print(f"{name} was started again after {took:.2f} s")
    stack.await_(lambda: any(f"{name} is back" in line for line in stack.said[heard:]))
    assert set(stack.ps()) == set(NAMES)


def test_a_process_that_is_asked_to_end_is_started_again(stack: Stack) -> None:
    killed = stack.kill("storage", signal.SIGTERM)
    stack.await_(lambda: stack.ps().get("storage", killed) != killed)


SHOWN = """
import sys
from importlib import import_module
import prometheus_client
import_module(f"{sys.argv[1]}.__main__")
for family in prometheus_client.REGISTRY.collect():
    print(family.name)
"""


@pytest.mark.parametrize(
    ("module", "setting", "above"),
    [
        ("services.catalog", "CATALOG_PORT", METRICS),
        ("services.storage", "STORAGE_PORT", METRICS),
        ("services.generator", "GENERATOR_PORT", METRICS),
        ("gateway", "GATEWAY_PORT", 0),
    ],
)
def test_a_forked_process_shows_its_own_metrics_and_those_of_no_other(
    stack: Stack, module: str, setting: str, above: int
) -> None:
    command = [sys.executable, "-c", SHOWN, module]
    executed = set(subprocess.check_output(command, text=True, cwd=CHECKOUT).split())
    page = patient.get(f"http://127.0.0.1:{stack.port(setting) + above}/metrics").text
    shown = set(re.findall(r"^# TYPE (\w+)", page, re.MULTILINE))
    names = {re.sub(r"_total$|_created$", "", name) for name in shown}
    begun = {name for name in names if name.startswith("studio_vault_")}  # once it serves
    assert executed <= names | {"python_info"}
    assert names - begun - executed == set()


def test_a_killed_zygote_is_made_anew_and_nobody_ends_with_it(stack: Stack) -> None:
    before = stack.ps()
    killed = zygote(stack)
    os.kill(killed, signal.SIGKILL)
    stack.await_(lambda: zygote(stack) not in (0, killed))
    assert stack.ps() == before
    stack.kill_and_await("storage")
    assert b"services.storage" in Path(f"/proc/{stack.ps()['storage']}/cmdline").read_bytes()
    assert zygote(stack) not in (0, killed)


def test_orphans_of_a_killed_process_are_waited_for(stack: Stack) -> None:
    stack.kill_and_await("postgres")
    stack.await_(lambda: not any(state(pid) == "Z" for pid in stack.all_pids()))


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def zygote(stack: Stack) -> int:
    """Its pid; 0 where there is none."""
    found = [pid for pid, words in alive(stack.all_pids()).items() if "cli.zygote" in words]
    return max(found, default=0)


def test_ps_lists_the_processes_for_scripts(stack: Stack) -> None:
    found = json.loads(stack.studio("ps", "--json").stdout)
    assert [one["name"] for one in found] == list(NAMES)
    assert all(sorted(one) == ["name", "pid", "port"] for one in found)
    assert stack.process is not None
    assert stack.process.pid not in [one["pid"] for one in found]


def test_a_second_stack_in_the_folder_is_refused(stack: Stack) -> None:
    again = stack.studio("up")
    assert again.returncode == 1
    assert stack.process is not None
    assert f"already runs in {stack.data} (pid {stack.process.pid})" in again.stderr
    assert "studio down" in again.stderr
    assert set(stack.ps()) == set(NAMES)


def test_a_port_in_use_is_named_with_its_holder_and_its_setting() -> None:
    with temporary_data() as data, socket.socket() as taken:
        stack = Stack(data)
        taken.bind(("127.0.0.1", stack.port("NATS_PORT")))
        taken.listen()
        refused = stack.studio("up")
        assert refused.returncode == 1
        for words in (f"port {stack.port('NATS_PORT')}", f"(pid {os.getpid()})", "set NATS_PORT"):
            assert words in refused.stderr
        assert stack.ps() == {}


def test_wrong_settings_are_listed_and_nothing_is_started() -> None:
    with temporary_data() as data:
        stack = Stack(data, {"AUTH": "perhaps", "CATALOG_PORT": "0", "VAULT_URL": "ftp://x"})
        refused = stack.studio("up")
        assert refused.returncode == 78
        for name in ("AUTH", "CATALOG_PORT", "VAULT_URL"):
            assert name in refused.stderr
        assert list(data.iterdir()) == []


def test_a_killed_supervisor_leaves_no_process_and_the_next_start_waits_for_that() -> None:
    with running_stack() as stack:
        killed = stack.all_pids()
        assert len(killed) > len(NAMES)
        stack.stop(signal.SIGKILL)
        stack.start()
        assert alive(killed) == {}

        stopped = stack.all_pids()
        assert stack.stop(signal.SIGINT) == 130  # Ctrl-C
        assert alive(stopped) == {}
        assert stack.ps() == {}
        assert stack.said[-1] == "stopped; everything is kept\n"


def test_two_that_need_a_stack_at_once_get_one_and_down_ends_it() -> None:
    with temporary_data() as data:
        stack = Stack(data)
        command = [sys.executable, "-P", "-m", "cli", "up", "--detach", "--generators", "2"]
        starts = [
            subprocess.Popen(command, env=stack.environment, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for start in starts:
            output, _ = start.communicate(timeout=120)
            assert (start.returncode, output) == (0, f"{stack.url}\n")
        assert set(stack.ps()) == {*NAMES, "generator-2"}
        pids = set(stack.ps().values())
        assert stack.studio("down").returncode == 0
        assert alive(pids) == {}
        assert stack.studio("down").returncode == 0  # nothing to end is no failure
