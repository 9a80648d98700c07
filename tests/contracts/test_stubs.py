"""The contract lints, and the committed stubs are those that it makes."""

import subprocess
import sys
from pathlib import Path

import google.rpc.status_pb2

from tests.contracts.files import files

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
GOOGLE = Path(google.rpc.status_pb2.__file__).parents[2]
BUF = Path(sys.executable).parent / "buf"


def run(*command, cwd=PROTOS):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_contract_lints_and_is_formatted(tmp_path):
    sources = [str(path.relative_to(PROTOS)) for path in files(PROTOS, "*.proto")]
    described = tmp_path / "imagestudio.binpb"
    run(
        sys.executable, "-m", "grpc_tools.protoc", "-I.", f"-I{GOOGLE}", "--include_imports",
        "--include_source_info", f"--descriptor_set_out={described}", *sources,
    )  # fmt: skip
    assert run(BUF, "lint", described) == ""
    assert run(BUF, "format", "--diff", "--exit-code") == ""


def test_the_committed_stubs_are_fresh(tmp_path):
    run(sys.executable, PROTOS / "generate.py", tmp_path)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in files(tmp_path, "*.py*")}
    gen = ROOT / "gen"
    kept = {path.relative_to(gen): path.read_bytes() for path in files(gen, "*.py*")}
    assert made.keys() == kept.keys()
    changed = [name for name in made if made[name] != kept[name]]
    assert not changed, f"run protos/generate.py: {changed}"
