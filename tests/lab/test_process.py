"""The process: where it may listen, how it ends, and what it says when it cannot begin."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from lab.settings import SettingsError, read
from tests.lab.process import ROOT, running_lab
from tests.lab.replicate_client import CUT, replicate


def test_by_default_it_is_on_loopback():
    found = read({})
    assert (found.host, found.port, found.pace) == ("127.0.0.1", 7900, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com"])
def test_others_may_reach_it_only_where_that_is_said(host):
    with pytest.raises(SettingsError, match="LAB_IN_A_CONTAINER=yes"):
        read({"HOST": host})

    assert read({"HOST": host, "LAB_IN_A_CONTAINER": "yes"}).host == host


def test_a_start_that_cannot_work_lists_all_that_is_wrong_and_exits_78():
    wrong = {"HOST": "0.0.0.0", "LAB_PORT": "70000", "LAB_PACE": "fast", "LAB_IN_A_CONTAINER": "?"}
    wrong |= {"LAB_URL": "lab:7900"}
    done = subprocess.run(
        [sys.executable, "-m", "lab"],
        env=os.environ | wrong, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 78
    for name in wrong:
        assert f"settings: {name} is" in done.stderr


def test_its_links_begin_with_its_url():
    assert read({}).url == "http://127.0.0.1:7900"
    assert read({"HOST": "::1", "LAB_PORT": "80"}).url == "http://[::1]:80"
    with running_lab(LAB_URL="http://lab.test:1/") as lab, replicate(lab) as api:
        made = api.made()

    assert made["urls"]["get"].startswith("http://lab.test:1/replicate/v1/")


def test_it_ends_politely_though_a_call_hangs():
    with running_lab() as lab, replicate(lab) as api:
        lab.faults([{"vendor": "replicate", "where": "create", "kind": "hang:3600"}])
        ended = []

        def order():
            try:
                api.create()
            except CUT:
                ended.append(True)

        thread = threading.Thread(target=order)
        thread.start()
        while not lab.requests():
            pass
        os.kill(lab.pid, signal.SIGTERM)
        thread.join(120)

        assert ended
        assert lab.process.wait(120) == 0
