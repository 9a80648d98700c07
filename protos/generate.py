"""
Makes the stubs in gen/ from the contract: `.venv/bin/python protos/generate.py [FOLDER]`.

They are committed, so that a checkout runs without a compiler; a test makes them again
and compares. Only the locked grpcio-tools may make them: `./studio test` installs it.
"""

import shutil
import sys
import sysconfig
from pathlib import Path

import google.rpc.status_pb2
from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
GOOGLE = Path(google.rpc.status_pb2.__file__).parents[2]  # the wheel ships its .proto files


def generate(target: Path) -> None:
    """Write the stubs for every .proto below *target*; replaces what was there."""
    shutil.rmtree(target / "imagestudio", ignore_errors=True)
    target.mkdir(parents=True, exist_ok=True)
    files = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    bundled = Path(sysconfig.get_path("purelib")) / "grpc_tools" / "_proto"
    includes = [f"-I{PROTOS}", f"-I{GOOGLE}", f"-I{bundled}"]
    plugins = [
        f"--plugin={name}={Path(sys.executable).parent / name}"
        for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
    ]
    kinds = ("python", "grpc_python", "mypy", "mypy_grpc")
    outputs = [f"--{kind}_out={'quiet:' if 'mypy' in kind else ''}{target}" for kind in kinds]
    if protoc.main(["protoc", *includes, *plugins, *outputs, *files]) != 0:
        raise SystemExit("protoc failed; see above")
    for folder in {path.parent for path in target.rglob("*_pb2.py")}:
        (folder / "__init__.py").touch()
    for folder in ("imagestudio", *(f"imagestudio/{p}" for p in PACKAGES)):
        (target / folder / "__init__.py").touch()
    for path in target.rglob("*_pb2_grpc.py*"):
        if path.parent.parent.name == "type" or not _serves(path):
            path.unlink()  # no service in it


PACKAGES = ("type", "generator", "storage", "catalog")


def _serves(path: Path) -> bool:
    return path.name.split("_pb2_grpc")[0].endswith("_service")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else PROTOS.parent / "gen")
