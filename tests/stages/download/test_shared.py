"""Two published data sets go in as they are, and the counts agree with those their makers give."""

import os
from pathlib import Path

import pytest

from tests.stages.download import servers

SHARED = Path(os.environ.get("RETUNE_SHARED", Path(__file__).parents[4] / "shared")) / "datasets"
CHECKSUMS = {
    "cola/cola_public.zip": "2cf856f46df11c143d38e0cf2f9f34ff2fdb088c521cd859f5c4b9581683278b",
    "sms_spam/spamdata_v2.csv": "558d0fe8bd2229e5fb3fbb34c2b108add0065612b4d29d54944cc0e5706cb30d",
}
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the published data sets are not on this machine")


FAULTS = [servers.unavailable, servers.cut_off, servers.unavailable, servers.too_long]


@pytest.fixture(params=["path", "faulty server"])
def address(request, monkeypatch):
    """Where a data set is: as it lies there, or on a server that fails again and again."""
    if request.param == "path":
        yield lambda source: str(SHARED / source)
        return
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with servers.serve({f"/{source}": (SHARED / source).read_bytes() for source in CHECKSUMS}) as server:
        server.script = list(FAULTS)
        yield lambda source: server.url(f"/{source}")
        assert len(server.requests) > len(FAULTS)


def test_sms_spam(read, address):
    source = "sms_spam/spamdata_v2.csv"
    result = read(
        files=[{"source": address(source), "sha256": CHECKSUMS[source]}],
        labels={"0": "ham", "1": "spam"},
        watched=str(SHARED),
    )
    assert result.stats["rows_in"] == result.stats["rows_used"] == 5_572
    assert result.stats["labels"] == {"ham": 4_825, "spam": 747}
    assert result.stats["duplicates"]["distinct_texts"] == 5_169
    assert result.stats["duplicates"]["repeated_rows"] == 403


def test_cola(read, address):
    source = "cola/cola_public.zip"
    members = {"in_domain_train": "train", "in_domain_dev": "val", "out_of_domain_dev": "test"}
    result = read(
        files=[
            {
                "source": address(source),
                "sha256": CHECKSUMS[source],
                "member": f"cola_public/raw/{member}.tsv",
                "split": split,
            }
            for member, split in members.items()
        ],
        file_format="tsv",
        header=False,
        quoting=False,
        columns={"text": 3, "label": 1},
        labels={"0": "unacceptable", "1": "acceptable"},
        watched=str(SHARED),
    )
    assert [file["rows"] for file in result.source] == [8_551, 527, 516]
    assert result.stats["rows_in"] == result.stats["rows_used"] == 9_594
    assert result.column("text")[0] == "Our friends won't buy this analysis, let alone the next one we propose."
    assert sum('"' in text for text in result.column("text")) == 2, "a quote is a plain character there"
