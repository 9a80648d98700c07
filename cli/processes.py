"""
What a stack on one machine consists of: a list of processes, each with all that starts it.

A process gets the settings that it needs and no other secret.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chassis.settings import Secret
from cli import envoy, lingering, probes, vendors
from cli.folder import Folder
from cli.settings import CHECKOUT, NAMES, SECRETS, StackSettings
from cli.shape import Shape

METRICS = 100  # what a service's metrics port lies above its port
LEAN = {"MALLOC_ARENA_MAX": "2"}  # glibc would give each thread an arena of its own
_NONE = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process: it starts when all of *after* are ready, and ends by descending *level*."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    level: int
    port: int | None = None  # where it answers
    probe: probes.Probe | None = None  # None: it runs once, and is ready when it ended well
    after: Sequence[str] = ()
    asked: signal.Signals = signal.SIGTERM  # how it is asked to end
    lingers: Callable[[], bool] | None = None  # whether, asked in another way, it may never end
    files: Mapping[Path, str] = field(default_factory=dict)  # written before it starts
    module: str | None = None  # of ours, that *command* runs and that may be forked instead
    at_once: bool = False  # it is executed rather than wait until it can be forked


def ports(settings: StackSettings, shape: Shape) -> list[tuple[int, str, str]]:
    """Return each port that a stack needs, with the process and the setting that moves it."""
    wanted = [(settings.edge, "the edge", "EDGE_PORT")]
    if envoy.chosen(settings):
        wanted.append((settings.gateway, "the gateway", "GATEWAY_PORT"))
    if not settings.database_url:
        wanted.append((settings.postgres, "PostgreSQL", "POSTGRES_PORT"))
    if not settings.nats_url:
        wanted.append((settings.nats, "NATS", "NATS_PORT"))
    if shape.lab:
        wanted.append((settings.lab, "the lab", "LAB_PORT"))
    served = [("catalog", settings.catalog), ("storage", settings.storage)]
    served += [(f"generator-{n + 1}", settings.generator + n) for n in range(shape.count)]
    for name, port in served:
        setting = f"{name.partition('-')[0].upper()}_PORT"
        wanted += [(port, f"the {name}", setting)]
        wanted += [(port + METRICS, f"the {name}'s metrics", f"{setting} (it is {METRICS} above)")]
    return wanted


def stack(settings: StackSettings, folder: Folder, shape: Shape) -> list[Process]:
    """Return the processes in the order in which they are told about."""
    found = _Plan(vendors.behind_lab(settings) if shape.lab else settings, folder, shape)
    processes = [*found.engines(), *found.services(), found.gateway()]
    if found.envoy:
        processes.append(found.edge(found.envoy))
    return [*processes, found.lab()] if shape.lab else processes


def postgres(settings: StackSettings, folder: Folder) -> Process:
    """Return the embedded PostgreSQL of *folder*, which needs nothing else to run."""
    place = {
        "STUDIO_DATA": str(folder.path),
        "POSTGRES_PORT": str(settings.postgres),
        "STUDIO_SUPERVISOR": str(os.getpid()),
    }
    return Process(
        name="postgres",
        command=python("services.catalog.embedded"),
        module="services.catalog.embedded",
        at_once=True,
        environment=inherited() | place,
        level=0,
        port=settings.postgres,
        probe=probes.postgres(settings.postgres),
        asked=signal.SIGINT,  # a fast shutdown; SIGTERM would wait for every client
        lingers=lingering.postgres(folder.path),
    )


def database_url(settings: StackSettings, folder: Folder) -> str:
    """Return where the database is: the embedded one's owner's URL, or DATABASE_URL."""
    if settings.database_url:
        return settings.database_url.reveal()
    password = folder.secret("postgres_password", _NONE).reveal()
    return f"postgresql://studio:{password}@127.0.0.1:{settings.postgres}/studio"


def vault_url(settings: StackSettings, folder: Folder) -> str:
    """Return where the pictures are."""
    return settings.vault_url or (folder.path / "vault").as_uri()


class _Plan:
    """The settings of one stack, turned into environments."""

    def __init__(self, settings: StackSettings, folder: Folder, shape: Shape) -> None:
        self.settings, self.folder, self.envoy = settings, folder, envoy.chosen(settings)
        self.generator_ports = [settings.generator + n for n in range(shape.count)]
        self.vendors = {"LAB_URL": vendors.lab_url(settings)} if shape.lab else {}
        self.service_secret = folder.secret("service_secret", settings.service_secret)
        self.link_key = folder.link_key(settings.link_key)
        self.nats_password = folder.secret("nats_password", _NONE)
        self.common = inherited() | self._shared()

    def _shared(self) -> dict[str, str]:
        settings = self.settings
        generators = ",".join(f"127.0.0.1:{port}" for port in self.generator_ports)
        return {
            "HOST": "127.0.0.1",
            "PUBLIC_URL": settings.public,
            "AUTH": settings.auth,
            "SERVICE_SECRET": self.service_secret.reveal(),
            "CATALOG_TARGET": f"127.0.0.1:{settings.catalog}",
            "STORAGE_TARGET": f"127.0.0.1:{settings.storage}",
            "GENERATOR_TARGET": f"ipv4:{generators}",
            "LOG_LEVEL": settings.log_level,
            "OTEL_EXPORTER_OTLP_ENDPOINT": settings.otlp,
        } | LEAN

    def engines(self) -> list[Process]:
        """PostgreSQL with its migrations, and NATS; each only where no URL names another."""
        settings, found = self.settings, []
        if not settings.database_url:
            self.folder.secret("postgres_password", _NONE)
            found.append(postgres(settings, self.folder))
        if not settings.nats_url:
            found.append(self._nats())
        after = () if settings.database_url else ("postgres",)
        migrate = Process(
            name="migrate",
            command=python("services.catalog.migrate"),
            module="services.catalog.migrate",
            at_once=True,
            environment=inherited() | {"DATABASE_URL": self._database_url()},
            level=1,
            after=after,
        )
        return [*found, migrate]

    def _nats(self) -> Process:
        port, store = self.settings.nats, self.folder.path / "nats"
        place = ["-a", "127.0.0.1", "-p", str(port), "-sd", str(store)]
        program = str(Path(sys.executable).with_name("nats-server"))
        return Process(
            name="nats",
            command=[program, "-c", str(CHECKOUT / "deploy" / "nats.conf"), *place],
            environment=inherited() | {"NATS_PASSWORD": self.nats_password.reveal()},
            level=0,
            port=port,
            probe=probes.nats(port),
        )

    def services(self) -> list[Process]:
        waits = () if self.settings.nats_url else ("nats",)
        needs = ("catalog", "storage", *(["lab"] if self.vendors else []))
        return [
            self._service("catalog", self.settings.catalog, self._catalog(), ("migrate", *waits)),
            self._service("storage", self.settings.storage, self._storage(), ()),
            *(
                self._service("generator", port, self._generator(number), needs, number)
                for number, port in enumerate(self.generator_ports, 1)
            ),
        ]

    def _catalog(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self._database_url(),
            "NATS_URL": self._nats_url(),
            "SPEND_CAP_USD": self.settings.spend_cap,
            "PUBLISH_WAIT": self.settings.publish_wait,
        }

    def _storage(self) -> dict[str, str]:
        kept = {
            "VAULT_URL": vault_url(self.settings, self.folder),
            "VAULT_ID_FILE": str(self.folder.path / "vault.id"),
            "LINK_KEY": self.link_key.reveal(),
            "DISK_RESERVE_MB": str(self.settings.disk_reserve),
        }
        return kept | vendors.for_storage(self.settings) | self.vendors

    def _generator(self, number: int) -> dict[str, str]:
        drawing = {"NATS_URL": self._nats_url(), "DEFAULT_MODEL": self.settings.default_model}
        drawing["SEAT"] = str(self.folder.seats / f"generator-{number}")
        return drawing | vendors.for_generator(self.settings) | self.vendors

    def _service(
        self, name: str, port: int, more: dict[str, str], after: Sequence[str], number: int = 0
    ) -> Process:
        setting = f"{name.upper()}_PORT"
        return Process(
            name=f"{name}-{number}" if number else name,
            command=python(f"services.{name}"),
            module=f"services.{name}",
            environment=self.common | _given(more) | {setting: str(port)},
            level=3 if number else 2,
            port=port,
            probe=probes.http(port + METRICS, "/healthz"),
            after=after,
        )

    def lab(self) -> Process:
        """The vendors' stand-in; it ends after all who may be asking it."""
        port = self.settings.lab
        return Process(
            name="lab",
            command=python("lab"),
            module="lab",
            environment=inherited() | {"HOST": "127.0.0.1", "LAB_PORT": str(port)} | self.vendors,
            level=1,
            port=port,
            probe=probes.http(port, "/_lab/clock"),
        )

    def gateway(self) -> Process:
        port = self.settings.gateway if self.envoy else self.settings.edge
        return Process(
            name="gateway",
            command=python("gateway"),
            module="gateway",
            environment=self.common | {"GATEWAY_PORT": str(port)},
            level=4,
            port=port,
            probe=probes.http(port, "/healthz"),
        )

    def edge(self, program: Path) -> Process:
        settings, configuration = self.settings, self.folder.path / "envoy.yaml"
        text = envoy.on_loopback(
            envoy.SOURCE.read_text(),
            settings.edge,
            {
                "generator": self.generator_ports,
                "storage": [settings.storage],
                "catalog": [settings.catalog],
                "gateway": [settings.gateway],
            },
        )
        workers = min(2, os.cpu_count() or 1)
        return Process(
            name="envoy",
            command=[
                str(program), "-c", str(configuration), "--concurrency", str(workers),
                "--disable-hot-restart", "--file-flush-interval-msec", "1000", "-l", "warning",
            ],
            environment=inherited(),
            level=5,
            port=settings.edge,
            probe=probes.http(settings.edge, "/healthz"),
            after=("gateway",),
            files={configuration: text},
        )  # fmt: skip

    def _database_url(self) -> str:
        return database_url(self.settings, self.folder)

    def _nats_url(self) -> str:
        if self.settings.nats_url:
            return self.settings.nats_url.reveal()
        return f"nats://studio:{self.nats_password.reveal()}@127.0.0.1:{self.settings.nats}"


def python(module: str) -> list[str]:
    """Return the command that runs one of our modules."""
    return [sys.executable, "-m", module]


def inherited() -> dict[str, str]:
    """The environment less every setting: a process is told what it needs, and no secret else."""
    ours = {*NAMES, *SECRETS}
    return {name: text for name, text in os.environ.items() if name not in ours}


def _given(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in settings.items() if text}
