"""
What a stack on one machine consists of: a list of processes, each with all that starts it.

A process gets the settings that it needs and no other secret.
"""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chassis.settings import Secret
from cli import envoy, probes
from cli.folder import Folder
from cli.settings import CHECKOUT, NAMES, SECRETS, StackSettings

METRICS = 100  # what a service's metrics port lies above its port
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
    files: Mapping[Path, str] = field(default_factory=dict)  # written before it starts


def ports(settings: StackSettings, generators: int) -> list[tuple[int, str, str]]:
    """Return each port that a stack needs, with the process and the setting that moves it."""
    wanted = [(settings.edge, "the edge", "EDGE_PORT")]
    if envoy.installed():
        wanted.append((settings.gateway, "the gateway", "GATEWAY_PORT"))
    if not settings.database_url:
        wanted.append((settings.postgres, "PostgreSQL", "POSTGRES_PORT"))
    if not settings.nats_url:
        wanted.append((settings.nats, "NATS", "NATS_PORT"))
    served = [("catalog", settings.catalog), ("storage", settings.storage)]
    served += [(f"generator-{n + 1}", settings.generator + n) for n in range(generators)]
    for name, port in served:
        setting = f"{name.partition('-')[0].upper()}_PORT"
        wanted += [(port, f"the {name}", setting)]
        wanted += [(port + METRICS, f"the {name}'s metrics", f"{setting} (it is {METRICS} above)")]
    return wanted


def stack(settings: StackSettings, folder: Folder, generators: int) -> list[Process]:
    """Return the processes in the order in which they are told about."""
    found = _Plan(settings, folder, generators)
    processes = [*found.engines(), *found.services(), found.gateway()]
    if found.envoy:
        processes.append(found.edge(found.envoy))
    return processes


class _Plan:
    """The settings of one stack, turned into environments."""

    def __init__(self, settings: StackSettings, folder: Folder, generators: int) -> None:
        self.settings, self.folder, self.envoy = settings, folder, envoy.installed()
        self.generator_ports = [settings.generator + n for n in range(generators)]
        self.service_secret = folder.secret("service_secret", settings.service_secret)
        self.link_key = folder.link_key(settings.link_key)
        self.nats_password = folder.secret("nats_password", _NONE)
        self.common = _inherited() | self._shared()

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
            "MALLOC_ARENA_MAX": "2",  # glibc would give each thread an arena of its own
        }

    def engines(self) -> list[Process]:
        """PostgreSQL with its migrations, and NATS; each only where no URL names another."""
        settings, found = self.settings, []
        if not settings.database_url:
            self.folder.secret("postgres_password", _NONE)
            place = {
                "STUDIO_DATA": str(self.folder.path),
                "POSTGRES_PORT": str(settings.postgres),
                "STUDIO_SUPERVISOR": str(os.getpid()),
            }
            found.append(
                Process(
                    name="postgres",
                    command=_python("services.catalog.embedded"),
                    environment=_inherited() | place,
                    level=0,
                    port=settings.postgres,
                    probe=probes.postgres(settings.postgres),
                    asked=signal.SIGINT,  # a fast shutdown; SIGTERM would wait for every client
                )
            )
        if not settings.nats_url:
            found.append(self._nats())
        after = () if settings.database_url else ("postgres",)
        migrate = Process(
            name="migrate",
            command=_python("services.catalog.migrate"),
            environment=self.common | {"DATABASE_URL": self._database_url()},
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
            environment=_inherited() | {"NATS_PASSWORD": self.nats_password.reveal()},
            level=0,
            port=port,
            probe=probes.nats(port),
        )

    def services(self) -> list[Process]:
        settings, vault = self.settings, self.folder.path / "vault"
        optional = _given(
            SPEND_CAP_USD=settings.spend_cap,
            DEFAULT_MODEL=settings.default_model,
            LOOKUP_LAG=settings.lookup_lag,
            PUBLISH_WAIT=settings.publish_wait,
        )
        nats = {"NATS_URL": self._nats_url()}
        database = {"DATABASE_URL": self._database_url()}
        reserve = {"DISK_RESERVE_MB": str(settings.disk_reserve)}
        kept = {
            "VAULT_URL": settings.vault_url or vault.as_uri(),
            "LINK_KEY": self.link_key.reveal(),
        }
        waits = () if settings.nats_url else ("nats",)
        catalog, storage = settings.catalog, settings.storage
        return [
            self._service(
                "catalog", catalog, optional | nats | database | reserve, ("migrate", *waits)
            ),
            self._service("storage", storage, optional | nats | kept | reserve, ()),
            *(
                self._service(
                    "generator", port, optional | nats | reserve, ("catalog", "storage"), number
                )
                for number, port in enumerate(self.generator_ports, 1)
            ),
        ]

    def _service(
        self, name: str, port: int, more: dict[str, str], after: Sequence[str], number: int = 0
    ) -> Process:
        setting = f"{name.upper()}_PORT"
        return Process(
            name=f"{name}-{number}" if number else name,
            command=_python(f"services.{name}"),
            environment=self.common | more | {setting: str(port)},
            level=3 if number else 2,
            port=port,
            probe=probes.http(port + METRICS, "/healthz"),
            after=after,
        )

    def gateway(self) -> Process:
        port = self.settings.gateway if self.envoy else self.settings.edge
        return Process(
            name="gateway",
            command=_python("gateway"),
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
            environment=_inherited(),
            level=5,
            port=settings.edge,
            probe=probes.http(settings.edge, "/healthz"),
            after=("gateway",),
            files={configuration: text},
        )  # fmt: skip

    def _database_url(self) -> str:
        if self.settings.database_url:
            return self.settings.database_url.reveal()
        password = self.folder.secret("postgres_password", _NONE).reveal()
        return f"postgresql://studio:{password}@127.0.0.1:{self.settings.postgres}/studio"

    def _nats_url(self) -> str:
        if self.settings.nats_url:
            return self.settings.nats_url.reveal()
        return f"nats://studio:{self.nats_password.reveal()}@127.0.0.1:{self.settings.nats}"


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _inherited() -> dict[str, str]:
    """The environment less every setting: a process is told what it needs, and no secret else."""
    ours = {*NAMES, *SECRETS}
    return {name: text for name, text in os.environ.items() if name not in ours}


def _given(**settings: str) -> dict[str, str]:
    return {name: text for name, text in settings.items() if text}
