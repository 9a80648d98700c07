"""Events of the log as they are told: links in full, the vault's also in events of before."""

from datetime import UTC, datetime

import pytest

from imagestudio.type.v1 import image_pb2, job_event_pb2, job_pb2
from services.catalog import log


@pytest.mark.parametrize(
    ("url", "path"), [("/i/abc", "/i/abc"), (f"https://cdn.test/{'a' * 16}", "")]
)
def test_an_event_from_before_paths_tells_the_vaults_where_its_link_was_that(url, path):
    image = image_pb2.ImageOutput(url=url)
    old = job_event_pb2.JobEvent(image_kept=image)
    told = log.finish(old, 1, 2, datetime.now(UTC), "https://studio.test")
    assert told.image_kept.path == path
    job = job_pb2.Job(images=[image])
    ended = job_event_pb2.JobEvent(completed=job_event_pb2.JobEvent.Completed(job=job))
    told = log.finish(ended, 1, 3, datetime.now(UTC), "https://studio.test")
    assert told.completed.job.images[0].path == path
