"""The list of files is made while others write."""

import subprocess
import sys

from tests.contracts.files import files

CHURN = """
import pathlib, shutil, sys
root = pathlib.Path(sys.argv[1])
print("on", flush=True)
while True:
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "x.py").touch()
    shutil.rmtree(root / "a")
"""


def test_folders_that_come_and_go_are_passed_over(tmp_path):
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "cached.py").touch()
    (tmp_path / "kept.py").touch()
    command = [sys.executable, "-I", "-S", "-c", CHURN, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as others:
        others.stdout.readline()
        try:
            for _ in range(500):
                assert tmp_path / "kept.py" in files(tmp_path, "*.py")
        finally:
            others.kill()
    assert tmp_path / "__pycache__" / "cached.py" not in files(tmp_path, "*.py")
