"""The CLI's hold on the lab: what it changes for a while is put back as it was."""

from collections.abc import Iterator

import httpx
import pytest

from cli.lab import Lab
from tests import patient
from tests.lab.process import Lab as Running
from tests.lab.process import running_lab

ANYWAY = {"vendor": "replicate", "where": "get", "kind": "status:500", "times": 3}
MEANWHILE = {"vendor": "replicate", "where": "get", "kind": "status:429", "times": 1}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with running_lab() as found:
        yield found


class Stopped(httpx.HTTPTransport):
    """The wire of somebody who presses Ctrl+C when the lab has just done as the first PUT says."""

    pressed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        if request.method == "PUT" and not self.pressed:
            self.pressed = True
            raise KeyboardInterrupt
        return answer

    def close(self) -> None:  # each request closes its client: this wire goes on
        pass


def kinds(running: Running) -> list[tuple[object, object]]:
    return [(fault["kind"], fault["times"]) for fault in running.faults()]


def look(running: Running) -> int:
    headers = {"Authorization": "Bearer r8_lab"}
    url = f"{running.url}/replicate/v1/predictions/none"
    return patient.get(url, headers=headers, trust_env=False).status_code


def test_faults_come_ahead_of_those_in_force_which_stay(running: Running) -> None:
    lab = Lab(running.url)
    running.faults([ANYWAY])
    with lab.faults(MEANWHILE):
        assert kinds(running) == [("status:429", 1), ("status:500", 3)]
        assert [look(running), look(running)] == [429, 500]  # the first struck with both
    assert kinds(running) == [("status:500", 1)]
    assert [look(running), look(running)] == [500, 404]


def test_the_pace_is_put_back(running: Running) -> None:
    running.pace(7, queue_seconds=2)
    with Lab(running.url).pace(0.5):
        assert running.ask("GET", "/_lab/pace")["seconds"] == 0.5
    assert running.ask("GET", "/_lab/pace") == {"seconds": 7, "queue_seconds": 2, "bytes": None}


def test_who_is_stopped_while_the_lab_changes_puts_it_back(running: Running) -> None:
    running.pace(7)
    running.faults([ANYWAY])
    for change in (lambda lab: lab.pace(0.5), lambda lab: lab.faults(MEANWHILE)):
        with pytest.raises(KeyboardInterrupt), change(Lab(running.url, Stopped())):
            pass
    assert running.ask("GET", "/_lab/pace")["seconds"] == 7
    assert kinds(running) == [("status:500", 3)]
