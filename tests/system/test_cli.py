"""The commands against a real stack, as people and scripts use them."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chassis.settings import EX_CONFIG
from cli.doctor import Finding
from tests import patient
from tests.generator.test_added_models import WHERE, put
from tests.postgres import temporary_data
from tests.system.stack import Stack

SMALL = ("--size", "64x64")


def start(stack: Stack, *arguments: str) -> subprocess.Popen[str]:
    """Run a command without waiting for its end."""
    command = [sys.executable, "-P", "-m", "cli", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, env=stack.environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def await_job(stack: Stack, title: str) -> str:
    """Return the id of a job once it is accepted."""
    found: list[str] = []

    def accepted() -> bool:
        answer = patient.get(f"{stack.url}/images/jobs")
        found[:] = [job["job_id"] for job in answer.json()["jobs"] if job["title"] == title]
        return bool(found)

    stack.await_(accepted)
    return found[0]


def test_generate_prints_permanent_links_and_nothing_else(stack: Stack) -> None:
    done = stack.studio("generate", "a lighthouse at dawn", "--count", "2", *SMALL)
    assert done.returncode == 0, done.stderr
    links = done.stdout.splitlines()
    assert len(links) == 2
    for link in links:
        assert patient.get(link).headers["content-type"] == "image/png"
    assert "2 images kept for $0.00" in done.stderr


def test_generate_json_is_the_outcome_in_one_line(stack: Stack) -> None:
    done = stack.studio(
        "generate", "a boat", "-m", "sketch", "-m", "sketch-ink", "--seed", "7", "--json", *SMALL
    )
    (line,) = done.stdout.splitlines()
    outcome = json.loads(line)
    assert outcome["state"] == "succeeded"
    assert sorted(image["model"] for image in outcome["images"]) == ["sketch", "sketch-ink"]
    assert (outcome["failures"], outcome["cost_usd"]) == ([], 0)


def test_generate_reads_a_prompt_from_standard_input(stack: Stack) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", "generate", "-", "--json", *SMALL],
        env=stack.environment, input="an öld oak\n", text=True, capture_output=True, check=True,
    )  # fmt: skip
    job = stack.studio("jobs", "--json").stdout
    assert json.loads(done.stdout)["job_id"] in [one["job_id"] for one in json.loads(job)]
    assert "an öld oak" in [one["prompt"] for one in json.loads(job)]


def test_a_key_that_shares_what_others_have_says_so(stack: Stack) -> None:
    first = stack.studio("keys", "create", "laptop", "--user", "shared")
    assert "shares" not in first.stderr
    second = stack.studio("keys", "create", "phone", "--user", "shared")
    assert "it shares everything with the other keys of 'shared'" in second.stderr
    assert second.stdout.startswith("isk_")
    told = subprocess.run(
        [sys.executable, "-P", "-m", "cli", "keys", "create", "tablet", "--user", "shared"],
        env=stack.environment, text=True, check=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ).stdout  # fmt: skip
    assert told.index("isk_") < told.index("it shares")  # the key first: it is told only once


def test_a_command_says_which_stack_it_goes_to_where_its_own_folder_has_none(
    stack: Stack, tmp_path: Path
) -> None:
    done = stack.studio("usage", STUDIO_DATA=str(tmp_path))
    assert f"no stack runs in {tmp_path}; asking what answers at {stack.url}" in done.stderr
    assert "no stack runs" not in stack.studio("usage").stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["generate", ""], "prompt is empty"),
     (["generate", "x", "-m", "nope"], "no model 'nope'; `./studio models` names them all"),
     (["generate", "x", "-m", "sketch,sketch-ink"], "say -m sketch -m sketch-ink"),
     (["generate", "two", "words"], "put the prompt into quotes"),
     (["generate", "x", "-r", __file__], f"{__file__}: These bytes are no whole PNG"),
     (["analyze", __file__], f"{__file__}: These bytes are no whole PNG"),
     (["suggest", ""], "IDEA: is empty"),
     (["jobs", "settle", "1", "--purchase", "x", "--charged", "no"], "--purchase: takes a UUID"),
     (["keys", "create", "a", "--user", " "], "--user is empty"),
     (["backup", "--to", ""], "it is empty: name a folder, or leave --to out"),
     (["generate", "x", "--preset", "nope"], "`./studio presets` names"),
     (["generate", "x", "--size", "5x5"], "5x5"),
     (["generate", "x", "--size", "big"], "size: is written as 1024x768"),
     (["generate", "x", "--aspect", "wide"], "aspect: is written as 16:9"),
     (["generate", "x", "--count", "0"], "count: takes 1 or more"),
     (["generate", "x", "--count", "1000000000"], "count: takes 32 or less"),
     (["generate", "x", "-m", "sketch", "--param", "nonsense"], "KEY=VALUE"),
     (["generate", "x", "-m", "sketch", "--param", "nope=1"], "nope"),
     (["generate", "x" * 100_000], "prompt"),
     (["generate", os.fsdecode(b"\xff\xfe")], "UTF-8"),
     (["generate", "x", "--colour", "red"], "--colour")],
    ids=lambda one: str(one[1:])[:40] if isinstance(one, list) else None,
)  # fmt: skip
def test_misuse_is_one_clear_message_and_status_2(
    stack: Stack, arguments: list[str], words: str
) -> None:
    done = stack.studio(*arguments)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_ctrl_c_detaches_and_the_job_goes_on(stack: Stack) -> None:
    drawing = start(stack, "generate", "left alone", "-m", "sketch", "-p", "seconds=20", *SMALL)
    assert drawing.stderr is not None
    job_id = drawing.stderr.readline().split()[1].strip(";")
    drawing.send_signal(signal.SIGINT)
    _, said = drawing.communicate(timeout=120)
    assert drawing.returncode == 130
    assert f"jobs watch {job_id}" in said
    watched = stack.studio("jobs", "watch", job_id)
    assert watched.returncode == 0
    assert patient.get(watched.stdout.strip()).status_code == 200


@pytest.mark.parametrize("name", ["gateway", "envoy"])
def test_generate_resumes_by_itself_when_its_stream_breaks(stack: Stack, name: str) -> None:
    title = f"cut by {name}"
    drawing = start(stack, "generate", title, "-m", "sketch", "-p", "seconds=20", *SMALL)
    await_job(stack, title)
    stack.kill_and_await(name)
    links, said = drawing.communicate(timeout=120)
    assert drawing.returncode == 0, said
    assert patient.get(links.strip()).status_code == 200


def test_nobody_sees_colours_who_does_not_want_them(stack: Stack) -> None:
    plain = on_a_terminal(stack, "generate", "a tree", *SMALL, NO_COLOR="1")
    coloured = on_a_terminal(stack, "generate", "a tree", *SMALL)
    assert "kept, 64x64" in plain
    assert "\x1b[32m" in coloured
    assert "\x1b[3" not in plain


def on_a_terminal(stack: Stack, *arguments: str, **more: str) -> str:
    """Run a command on a terminal of its own and return all that it showed."""
    ours, theirs = pty.openpty()
    environment = {name: text for name, text in stack.environment.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", *arguments],
        env=environment | {"TERM": "xterm-256color"} | more, stdin=theirs, stdout=theirs,
        stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert process.wait(120) == 0, shown
    return shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side is closed
        return b""


def test_models_and_presets_are_listed_for_scripts(stack: Stack) -> None:
    models = json.loads(stack.studio("models", "--json").stdout)
    assert {"sketch", "sketch-ink", "sketch-mosaic"} <= {model["key"] for model in models}
    presets = json.loads(stack.studio("presets", "--json").stdout)
    assert len(presets) >= 8
    assert all(preset["preset_key"] for preset in presets)


def test_keys_are_made_listed_and_revoked(stack: Stack) -> None:
    made = json.loads(stack.studio("keys", "create", "a script", "--user", "ann", "--json").stdout)
    assert made["key"].startswith("isk_")
    again = stack.studio("keys", "create", "another")
    assert "runs with AUTH=none and asks nobody for a key" in again.stderr
    listed = stack.studio("keys", "list", "--json").stdout
    assert made["key"] not in listed
    assert (made["id"], "ann") in [(one["id"], one["user"]) for one in json.loads(listed)]
    assert stack.studio("keys", "revoke", made["id"]).returncode == 0
    after = json.loads(stack.studio("keys", "list", "--json").stdout)
    assert made["id"] in [one["id"] for one in after if one["revoked_at"]]
    none = stack.studio("keys", "revoke", "abc")
    assert none.returncode == 2
    assert "`studio keys list`" in none.stderr


def test_a_cap_is_set_and_lifted(stack: Stack) -> None:
    set_ = stack.studio("cap", "25.5", "--json")
    assert json.loads(set_.stdout)["cap_usd"] == 25.5
    assert json.loads(stack.studio("usage", "--json").stdout)["cap"]["cap_usd"] == 25.5
    assert "no cap" in stack.studio("cap", "none").stderr
    assert json.loads(stack.studio("usage", "--json").stdout)["cap"]["cap_usd"] is None
    for none in ("much", "nan"):
        refused = stack.studio("cap", none)
        assert refused.returncode == 2, refused.stderr


def test_a_sum_for_what_was_not_charged_is_refused(stack: Stack) -> None:
    purchase = ("--purchase", "01890000-0000-7000-8000-000000000001")
    done = stack.studio("jobs", "settle", "1", *purchase, "--charged", "no", "--cost", "1")
    assert done.returncode == 2
    assert "--cost goes with --charged yes" in done.stderr


def test_a_start_that_fails_tells_its_own_words_alone() -> None:
    with temporary_data() as data:
        first = Stack(data, {"DEFAULT_MODEL": "nothing"})
        second = Stack(data, {"LANGUAGE_MODEL": "nobody"})
        for stack, word in ((first, "DEFAULT_MODEL"), (second, "LANGUAGE_MODEL")):
            with pytest.raises(AssertionError, match=word) as failed:
                stack.start()
        assert "DEFAULT_MODEL" not in str(failed.value)


def test_a_model_that_cannot_be_is_told_before_anything_is_started(tmp_path: Path) -> None:
    entry = put(tmp_path / "models", {"slug": "a/b"})
    beside = {"DEFAULT_MODEL": "flux-dev", "LANGUAGE_MODEL": "nobody"}
    for settings, words in (
        ({"MODELS_DIR": str(entry)}, ["MODELS_DIR", f"{WHERE}: display_name"]),
        (beside, ["DEFAULT_MODEL", "LANGUAGE_MODEL"]),
    ):
        with temporary_data() as data:
            stack = Stack(data, settings)
            with pytest.raises(AssertionError) as failed:
                stack.start()
            assert stack.stop() == EX_CONFIG
            told = [line for line in str(failed.value).splitlines() if "settings: " in line]
            assert [word for word in words if not any(word in line for line in told)] == []
            assert "starting " not in str(failed.value)
            assert not (data / "postgres").exists()


def test_where_nobody_can_be_asked_nothing_is_dropped(stack: Stack) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", "rebuild", "--drop"], env=stack.environment,
        stdin=subprocess.DEVNULL, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "nothing was dropped; --yes says it where nobody can be asked" in done.stderr


def test_what_needs_the_stack_ended_says_so(stack: Stack) -> None:
    done = stack.studio("rebuild", "--yes")
    assert done.returncode == 1
    assert "`./studio down` ends it" in done.stderr


def findings(stack: Stack, status: int) -> list[Finding]:
    done = stack.studio("doctor", "--json")
    assert done.returncode == status, done.stdout + done.stderr
    return [Finding(**one) for one in json.loads(done.stdout)]


def test_doctor_finds_nothing_wrong_with_a_running_stack(stack: Stack) -> None:
    found = findings(stack, 0)
    assert {one.state for one in found if one.about != "vendors"} == {"good"}
    assert any("answers on" in one.found for one in found)


def test_who_is_let_in_is_told_by_what_runs_and_not_by_the_settings_here(stack: Stack) -> None:
    done = stack.studio("doctor", "--json", AUTH="keys")
    access = [one for one in json.loads(done.stdout) if one["about"] == "access"]
    assert access[0]["found"] == f"AUTH=none, links begin with {stack.url}"
    assert [one["found"] for one in access[1:]] == [
        f"the settings here say AUTH=keys and {stack.url}"
    ]
    assert stack.studio("jobs", AUTH="keys").returncode == 0  # which asks for no key


def test_doctor_tells_what_is_wrong_each_with_a_remedy() -> None:
    with temporary_data() as data:
        unreachable = {"DATABASE_URL": "postgresql://me:letmein@127.0.0.1:9/x"}
        odd = {"DISK_RESERVE_MB": "999999999", "ANTHROPIC_API_KEY": "sk-secret"}
        found = findings(Stack(data, unreachable | odd), 1)
    bad = {one.about: one for one in found if one.state == "bad"}
    assert set(bad) == {"PostgreSQL", "disk"}
    assert all(one.remedy for one in found if one.state != "good")
    assert any("ANTHROPIC_API_KEY" in one.found for one in found)
    assert not any("letmein" in one.found or "sk-secret" in one.found for one in found)


def test_doctor_lists_wrong_settings() -> None:
    with temporary_data() as data:
        found = findings(Stack(data, {"AUTH": "maybe", "EDGE_PORT": "x"}), 78)
    assert [one.state for one in found] == ["bad", "bad"]


def test_logs_show_one_process_or_all(stack: Stack) -> None:
    assert "ready to accept connections" in stack.studio("logs", "postgres", "-n", "500").stdout
    everything = stack.studio("logs", "-n", "1").stdout
    assert {"postgres", "nats", "gateway"} <= {line.split()[0] for line in everything.splitlines()}
    unknown = stack.studio("logs", "../../etc/passwd")
    assert unknown.returncode == 1
    assert "there are:" in unknown.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
@pytest.mark.parametrize(
    "arguments",
    [("models",), ("models", "--json"), ("jobs",), ("ps",), ("doctor",), ("logs",), ("--help",),
     ("generate", "kept all the same", *SMALL), ("up", "--detach")],
    ids=" ".join,
)  # fmt: skip
def test_an_output_that_is_full_is_told_of(stack: Stack, arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-P", "-m", "cli", *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, env=stack.environment, stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "no space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("models",), ("jobs",), ("keys", "list"), ("jobs", "watch", "1"), ("jobs", "watch", "x")],
    ids=" ".join,
)
def test_without_a_stack_a_command_says_how_to_start_one(arguments: tuple[str, ...]) -> None:
    with temporary_data() as data:  # a watch of a stack that runs would wait for two minutes
        done = Stack(data).studio(*arguments, patience=100)
    assert done.returncode == 1
    assert "./studio up" in done.stderr


def test_another_shape_than_the_running_one_s_is_told_with_how_to_get_it(stack: Stack) -> None:
    for arguments, again in (
        (("up", "--generators", "3", "--detach"), "./studio up --generators 3"),
        (("up", "--lab", "--detach"), "./studio up --lab"),
        (("generate", "for nothing", "--lab"), "./studio up --lab"),
        (("up", "--generators", "3"), "./studio down"),
    ):
        done = stack.studio(*arguments)
        assert done.returncode == 1
        assert "already runs" in done.stderr
        assert "with 1 generator and no lab" in done.stderr
        assert again in done.stderr
    same = stack.studio("up", "--generators", "1", "--detach")
    assert (same.returncode, same.stdout) == (0, f"{stack.url}\n")
