"""The process: how it starts, refuses to start, and ends."""

import os
import re
import signal
import subprocess
import urllib.request

import pytest

from tests.storage.client import LINK_KEY, PURCHASE, SECRET, Client, link_of
from tests.storage.conftest import environment
from tests.storage.pictures import picture
from tests.storage.process import process


async def test_it_serves_tells_its_room_to_prometheus_and_ends_when_asked(folder, catalog):
    said = environment(folder, catalog.target, HOST="127.0.0.1")
    with process(said) as storage:
        client = Client(f"127.0.0.1:{said['STORAGE_PORT']}")
        asset = (await client.upload(picture(), PURCHASE)).asset
        await client.download(link_of(asset), thumbnail=True)
        metrics = f"http://127.0.0.1:{int(said['STORAGE_PORT']) + 100}/metrics"
        with urllib.request.urlopen(metrics) as answer:
            text = answer.read().decode()
        assert float(re.search(r"^studio_vault_free_bytes (\S+)", text, re.MULTILINE)[1]) > 0
        assert "studio_vault_reserve_bytes 2.68435456e+08" in text
        await client.close()
        storage.send_signal(signal.SIGTERM)
        assert storage.wait(timeout=120) == 0
        log = storage.stderr.read()
    assert SECRET not in log
    assert LINK_KEY not in log


async def test_a_restart_keeps_every_picture_and_link(folder, catalog):
    contents = [picture(seed=seed) for seed in range(3)]
    names = []
    for turn in range(2):
        said = environment(folder, catalog.target)
        with process(said) as storage:
            client = Client(f"127.0.0.1:{said['STORAGE_PORT']}")
            if turn == 0:
                names = [link_of((await client.upload(c, PURCHASE)).asset) for c in contents]
                storage.kill()
            else:
                assert [(await client.download(name))[1] for name in names] == contents
            await client.close()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"VAULT_URL": "s3://bucket"}, "VAULT_URL is malformed"),
        ({"VAULT_URL": "file://relative/path"}, "VAULT_URL is malformed"),
        ({"VAULT_URL": ""}, "VAULT_URL is not set"),
        ({"LINK_KEY": "short", "STORAGE_PORT": "70000"}, "STORAGE_PORT is malformed"),
        ({"LINK_KEY": "short", "STORAGE_PORT": "70000"}, "LINK_KEY is malformed"),
        ({"DISK_RESERVE_MB": "-1"}, "DISK_RESERVE_MB is malformed"),
        ({"AUTH": "maybe"}, "AUTH is malformed"),
        ({"LAB_URL": "https://127.0.0.1:7900"}, "LAB_URL is malformed"),
        ({"LAB_URL": "http://127.0.0.1:7900/replicate"}, "LAB_URL is malformed"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_78(folder, wrong, said):
    with process(environment(folder, "127.0.0.1:1") | wrong) as storage:
        assert storage.wait(timeout=120) == 78
        assert said in storage.stderr.read()


def test_a_folder_that_cannot_be_written_ends_the_start(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with process(environment(tmp_path / "file" / "vault", "127.0.0.1:1")) as storage:
        assert storage.wait(timeout=120) == 1
        assert "cannot be written" in storage.stderr.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start it as another user")
def test_a_folder_of_another_user_ends_the_start(tmp_path):
    tmp_path.chmod(0o755)
    said = environment(tmp_path / "vault", "127.0.0.1:1")
    try:
        subprocess.run(["test", "-x", os.sys.executable], user=65534, check=True)
    except (subprocess.CalledProcessError, PermissionError):
        pytest.skip("nobody cannot enter the folder of this Python")
    with process(said, user=65534, group=65534) as storage:
        assert storage.wait(timeout=120) == 1
        assert "Permission denied" in storage.stderr.read()


def test_a_port_in_use_is_said(folder, tmp_path):
    said = environment(folder, "127.0.0.1:1")
    with process(said) as first:
        _until_served(said)
        with process(said | {"VAULT_URL": f"file://{tmp_path}/other"}) as second:
            assert second.wait(timeout=120) == 1
            assert "set STORAGE_PORT" in second.stderr.read()
        assert first.poll() is None


def _until_served(said):
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{said['STORAGE_PORT']}") as channel:
        grpc.channel_ready_future(channel).result(timeout=120)
