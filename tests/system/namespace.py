"""
A network namespace beside our own, which is one, too: what runs in it reaches our loopback over
a pair of virtual devices, and parted, the kernel drops every packet between the two.

Linux and root alone. Nothing outside of the two namespaces is touched.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_HERE, _THERE = "198.18.0.1", "198.18.0.2"  # of the network that is for tests of networks
_NEEDED = ("unshare", "nsenter", "ip", "iptables")


def missing() -> str:
    """Say why there can be none here; empty: there can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "making a network namespace takes root"
    if lacking := [name for name in _NEEDED if not shutil.which(name)]:
        return f"{' and '.join(lacking)} is not here"
    tried = ["unshare", "--net", "iptables", "-t", "raw", "-L", "-n"]
    done = subprocess.run(tried, check=False, capture_output=True, text=True)
    return done.stderr.strip()[:200] if done.returncode else ""


@dataclass(frozen=True, slots=True)
class Namespace:
    """The one in which *keeper* lives; its host is `address` from here."""

    keeper: int
    address: str = _THERE

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs *command* in it."""
        return ["nsenter", "--target", str(self.keeper), "--net", *command]

    @contextmanager
    def parted(self) -> Iterator[None]:
        """Drop what comes from it and what goes to it meanwhile, without a word to anybody."""
        self._drop("-A")
        try:
            yield
        finally:
            self._drop("-D")

    def _drop(self, change: str) -> None:
        _run("iptables", "-t", "raw", change, "PREROUTING", "-i", "here", "-j", "DROP")
        there = ("iptables", "-t", "raw", change, "PREROUTING", "-i", "there", "-j", "DROP")
        _run(*self.command(there))


@contextmanager
def beside_ours() -> Iterator[Namespace]:
    """Make one; ours has to be of its own already (`unshare --net`), since it is changed."""
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec cat"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as keeper:  # fmt: skip
        assert keeper.stdout is not None
        keeper.stdout.readline()  # it has got its own by now, and ends with its input: with us
        found = Namespace(keeper.pid)
        _join(found)
        yield found
        keeper.terminate()


def _join(other: Namespace) -> None:
    """Lead what either sends to the other's loopback there, as if there were one host."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "here", "type", "veth", "peer", "there", "netns", str(other.keeper))
    _run("ip", "address", "add", f"{_HERE}/30", "dev", "here")
    _run("ip", "link", "set", "here", "up")
    Path("/proc/sys/net/ipv4/conf/here/route_localnet").write_text("1")
    nat = ("iptables", "-t", "nat", "-A")
    _run(*nat, "PREROUTING", "-i", "here", "-p", "tcp", "-j", "DNAT", "--to", "127.0.0.1")
    for command in (
        ("ip", "link", "set", "lo", "up"),
        ("ip", "address", "add", f"{_THERE}/30", "dev", "there"),
        ("ip", "link", "set", "there", "up"),
        ("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet"),
        (*nat, "OUTPUT", "-d", "127.0.0.1", "-p", "tcp", "-j", "DNAT", "--to", _HERE),
        (*nat, "POSTROUTING", "-o", "there", "-j", "SNAT", "--to", _THERE),
    ):
        _run(*other.command(command))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
