"""Defences of what is kept, fetched, published and heard; see `mutations.py`."""

from tests.generator.mutation import Mutation

_FOLDER = "services/storage/vaults/folder.py"
_SHELVES = "services/storage/vaults/shelves.py"
_CUT = "tests/storage/test_power_cut.py"

TABLE = (
    Mutation("a name never leads to half a file", _FOLDER,
             "            self._disk.sync(self._handle)\n", "", _CUT),
    Mutation("a note is whole before it has a name", _SHELVES,
             "            self.disk.sync(note)\n", "", _CUT),
    Mutation("one more note is whole before it has a name", _SHELVES,
             "            self.disk.sync(handle)\n", "            pass\n", _CUT),
    Mutation("the names of a file and its note are not lost", _SHELVES,
             "                self.disk.sync(held)\n", "", _CUT),
    Mutation("the name of one more note is not lost", _SHELVES,
             "        self.disk.sync_folder(_folder(place))  "
             "# fsync: so that the name is not lost\n",
             "", _CUT),
    Mutation("a vendor's pictures are fetched at its own hosts", "services/storage/sources.py",
             "        if not (named or self.any_host):\n", "        if False:\n",
             "tests/storage/test_fetch_urls.py"),
    Mutation("what the CDN has is compared by its hash", "services/storage/cdns/cloudinary.py",
             ' and answer.get("etag") == file.md5', "", "tests/storage/test_cloudinary.py"),
    Mutation("a webhook is in the inbox once", "services/catalog/migrations/0001_tables.sql",
             "    webhook_id  TEXT PRIMARY KEY,\n", "    webhook_id  TEXT NOT NULL,\n",
             "tests/catalog/test_webhooks.py"),
)  # fmt: skip
