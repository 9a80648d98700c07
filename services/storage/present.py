"""How kept things look on the wire."""

from collections.abc import Sequence
from datetime import datetime

from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.type.v1 import image_pb2
from services.storage.assets import Content
from services.storage.inspect import SVG
from services.storage.keep import Kept
from services.storage.notes import FileNote, PublishedNote, ReceiptNote


def asset(note: FileNote) -> pb.Asset:
    """Show a file; a drawing is its own preview, which a browser scales."""
    path = f"/i/{note.link}"
    shown = pb.Asset(
        name=f"assets/{note.image_hash}",
        state=pb.ASSET_STATE_KEPT,
        path=path,
        thumbnail_path=path if note.media_type == SVG else f"{path}/thumbnail",
        media_type=note.media_type,
        size_bytes=note.size_bytes,
        size=image_pb2.PixelSize(width=note.width, height=note.height),
        readable=note.readable,
    )
    shown.create_time.FromDatetime(datetime.fromisoformat(note.created_at))
    if isinstance(note, PublishedNote):
        shown.state = pb.ASSET_STATE_PUBLISHED
        shown.cdn_url, shown.cdn_thumbnail_url = note.cdn_url, note.cdn_thumbnail_url
        shown.publish_time.FromDatetime(datetime.fromisoformat(note.published_at))
    return shown


def imported(kept: Kept, *, publishable: bool) -> pb.ImportAssetResponse:
    """Show what an import kept."""
    return pb.ImportAssetResponse(
        asset=asset(kept.note), deduplicated=kept.deduplicated, publishable=publishable
    )


def uploaded(kept: Kept) -> pb.UploadAssetResponse:
    """Show what an upload kept."""
    return pb.UploadAssetResponse(asset=asset(kept.note), deduplicated=kept.deduplicated)


def receipt(note: ReceiptNote, pictures: Sequence[pb.ImportAssetResponse]) -> pb.PutReceiptResponse:
    """Show a receipt: its ticket, and what was kept of its pictures."""
    return pb.PutReceiptResponse(
        ticket=f"receipt:{note.purchase_id}",
        size_bytes=note.size_bytes,
        sha256=note.sha256,
        pictures=pictures,
    )


def opened(content: Content) -> pb.DownloadAssetResponse:
    """Show what is about to be read."""
    header = pb.DownloadHeader(
        media_type=content.media_type,
        size_bytes=content.size,
        sha256=content.sha256,
        stand_in=content.stand_in,
    )
    return pb.DownloadAssetResponse(header=header)
