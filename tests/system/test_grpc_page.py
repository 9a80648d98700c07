"""The examples of docs/grpc.md, as they stand there, with nothing of ours but the protos."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests import patient
from tests.system.stack import CHECKOUT, Stack

PAGE = (CHECKOUT / "docs" / "grpc.md").read_text("utf-8")
[MAKE] = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
[CLIENT] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_a_client_is_made_of_the_protos_alone(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "protos").symlink_to(CHECKOUT / "protos")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    around = os.environ | {"PATH": path, "PYTHONPATH": str(tmp_path / "stubs")}
    subprocess.run(["sh", "-euc", MAKE], cwd=tmp_path, env=around, check=True)
    (tmp_path / "client.py").write_text(CLIENT, "utf-8")
    address = stack.url.removeprefix("http://")
    done = subprocess.run(
        [sys.executable, "client.py", address], cwd=tmp_path, env=around, check=True,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert patient.get(done.stdout.strip()).headers["content-type"] == "image/png"
