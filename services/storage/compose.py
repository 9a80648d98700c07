"""From settings to a running storage: the only place that knows which class does what."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from chassis.channel import Peer
from chassis.foreign import Guard
from chassis.server import Server
from chassis.settings import SettingsError
from imagestudio.storage.v1 import storage_service_pb2_grpc
from services.storage.assets import Assets
from services.storage.catalog import Catalog, resolver
from services.storage.cdn import Cdn
from services.storage.child import Child
from services.storage.dial import Dialer
from services.storage.disk import LocalDisk
from services.storage.fetch import Fetch
from services.storage.handler import NAME, Handler
from services.storage.imports import Imports
from services.storage.incoming import MAX_BYTES
from services.storage.keep import Keep
from services.storage.names import Links
from services.storage.numbers import Numbers
from services.storage.publish import Publish
from services.storage.receipts import Receipts
from services.storage.references import References
from services.storage.room import Room
from services.storage.settings import Settings
from services.storage.sources import Policy
from services.storage.thumbnails import Thumbnails
from services.storage.trial import Trial
from services.storage.turns import Turns
from services.storage.vault import Vault
from services.storage.vaults.folder import FolderVault

_PATIENCE = 15.0  # seconds for a picture that a user names: somebody waits for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What is started in this order, and ended in the opposite one."""

    vault: Vault
    room: Room
    peer: Peer
    child: Child
    cdn: Cdn | None
    server: Server


def vault_at(url: str, known: str = "") -> Vault:
    """
    Return the vault that *url* names; SettingsError where there is no such kind.

    The file *known*, else one beside the vault, remembers which one it is.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    match parts.scheme:
        case "file" if parts.netloc in ("", "localhost") and parts.path.startswith("/"):
            folder, beside = Path(unquote(parts.path)), Path(known) if known else None
            if beside and beside.resolve().is_relative_to(folder.resolve()):
                why = "it would be gone with the vault that it is to remember"
                raise SettingsError([f"VAULT_ID_FILE lies in the vault: {why}. Move it out."])
            return FolderVault(folder, LocalDisk(folder), beside)
    raise SettingsError([f"VAULT_URL is malformed: {url!r} is not of the form file:///a/folder."])


def cdn_at(settings: Settings) -> Cdn | None:
    """Return the CDN that the settings name; call it inside the running loop."""
    if settings.cloudinary is None:
        return None
    # Late: their package reads the environment when it is imported.
    from services.storage.cdns.cloudinary import Cloudinary, session

    return Cloudinary(http=session(), base=settings.cloudinary_base, account=settings.cloudinary)


def _fetches(lab_url: str) -> tuple[Fetch, Fetch]:
    """What downloads from vendors, and what downloads whatever a user names."""
    dialer, anywhere = Dialer(), Policy(lab_url, any_host=True)
    of_users = Fetch(policy=anywhere, dialer=dialer, patience=_PATIENCE, most=MAX_BYTES)
    return Fetch(policy=Policy(lab_url), dialer=dialer), of_users


def storage(settings: Settings) -> Storage:
    """Wire a storage; call it inside the running loop."""
    vault = vault_at(settings.vault_url, settings.vault_id_file)
    secret = settings.service_secret.reveal().encode()
    peer = Peer(settings.catalog_target, "catalog", service="storage", secret=secret)
    catalog, child, turns = Catalog(peer), Child(), Turns()
    links = Links(settings.link_key.reveal().encode())
    room = Room(vault.free, settings.disk_reserve, Trial(vault.probe))
    keep = Keep(vault=vault, links=links, room=room, turns=turns, catalog=catalog)
    receipts = Receipts(vault=vault, room=room, turns=turns)
    of_vendors, of_users = _fetches(settings.lab_url)
    assets = Assets(
        vault=vault,
        links=links,
        turns=turns,
        thumbnails=Thumbnails(vault, turns, child),
        catalog=catalog,
    )
    cdn = cdn_at(settings)
    handler = Handler(
        keep,
        receipts,
        Imports(keep=keep, receipts=receipts, fetch=of_vendors),
        assets,
        Publish(vault=vault, assets=assets, cdn=cdn),
        *(room, Numbers(vault, room)),
        References(keep=keep, assets=assets, fetch=of_users, child=child),
    )
    add = partial(storage_service_pb2_grpc.add_StorageServiceServicer_to_server, handler)
    resolve = resolver(catalog, settings.auth)
    guard = Guard(settings.public_url, settings.auth)
    server = Server([(NAME, add)], secret=secret, resolve=resolve, guard=guard)
    return Storage(vault=vault, room=room, peer=peer, child=child, cdn=cdn, server=server)
