"""`studio rot` on a whole stack: a day passes at the vendors, and every link brings its bytes."""

import json

from cli.rot import THEIRS


def rotted(lit, *arguments):
    done = lit.studio("rot", "--hours", "24", "--json", *arguments)
    assert done.stdout, done.stderr
    return done, {row["kind"]: row for row in json.loads(done.stdout)["links"]}


def drawings(vendors):
    """How many were bought that stay with us: the CDN gets no SVG."""
    return sum(charge["model"] == "recraftv3_vector" for charge in vendors.ledger())


def test_after_a_day_every_link_that_was_given_out_brings_its_bytes(lit, vendors):
    done, rows = rotted(lit, "--jobs", "50")
    assert done.returncode == 0, done.stderr
    for kind, count in (("vault", 50), ("CDN", 50 - drawings(vendors))):
        assert [rows[kind][of] for of in ("given_out", "alive", "same")] == [count] * 3
        small = rows[f"{kind}, thumbnail"]
        assert [small["given_out"], small["alive"]] == [count] * 2
    charges = [charge for charge in vendors.ledger() if charge["vendor"] == "replicate"]
    bought = sum(charge["images"] for charge in charges)  # whose links are to be had
    assert bought >= 10  # of all vendors' models each has its turn
    assert json.loads(done.stdout)["vendor_links_alive_before"] == bought
    assert rows[THEIRS] == {"kind": THEIRS, "given_out": bought, "alive": 0, "same": None}


def test_a_cdn_that_answers_with_pages_is_told_of(lit, vendors):
    vendors.faults([{"vendor": "cloudinary", "where": "delivery", "kind": "html"}])
    done, rows = rotted(lit, "--jobs", "8")
    assert done.returncode == 1
    published = 8 - drawings(vendors)
    assert f"dead links: {2 * published}; links that bring other bytes: 0" in done.stderr
    assert "HTTP 200 with text/html" in done.stderr
    assert rows["CDN"]["alive"] == rows["CDN, thumbnail"]["alive"] == 0
    assert rows["vault"]["same"] == 8
