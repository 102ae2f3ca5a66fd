"""The walk of who publishes words: refused, read, hidden or accepted, published."""

import json

import pytest
from typer.testing import CliRunner

from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture
from analysis.verify import verify
from testbed.cli import build
from tests.bench.redteam import START_NS, tcp

SAID = b"GET owner Vintrelka; zigblee 7 moonbeamer Ok;"
HIDDEN = "Vintrelka"


@pytest.fixture
def talkative(recorded, tmp_path, close):
    """Return a campaign in which a device says what nobody knows."""
    more = tmp_path / "more.pcapng"
    with open_capture(more, interfaces=(Interface(link=1),)) as out:
        for number, frame in enumerate(tcp(7331, SAID)):
            out.packet(START_NS + 10**9 * 3000 + number, frame, interface=0)
    with (recorded / "raw" / "lan-00001.pcapng").open("ab") as file:
        file.write(more.read_bytes())
    close(recorded)
    return recorded


def call(*words):
    words = [*map(str, words), "--no-results", "--part-size", "0"]
    words += ["--accept", "unread:tshark"]
    return CliRunner().invoke(build(["publish"]), ["publish", *words])


@pytest.mark.usefixtures("_without_tshark")
def test_words_are_refused_read_hidden_or_accepted_and_then_published(
    talkative, tmp_path, monkeypatch, watcher
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    out, copy, secrets = (tmp_path / name for name in ("set", "copy", "secrets"))
    refused = call(talkative, out)
    assert refused.exit_code, refused.stdout
    steps = refused.stderr.splitlines()[-2:]
    assert "--secrets FILE" in steps[0]
    assert "--accept-words COPY" in steps[1]
    plain = tmp_path / "set.draft" / "private" / "plain.txt"
    lines = plain.read_text().splitlines(keepends=True)
    assert len(lines) > 1
    own = call(talkative, out, "--accept-words", plain)
    assert "is the draft's own" in str(own.exception)
    copy.write_text("".join(line for line in lines if HIDDEN not in line))
    again = call(talkative, out, "--accept-words", copy)
    assert again.exit_code
    assert not out.exists()
    assert [line.split("\t")[1] for line in plain.read_text().splitlines()] == [HIDDEN]
    secrets.write_text(f"person {HIDDEN}\n")
    done = call(talkative, out, "--accept-words", copy, "--secrets", secrets)
    assert done.exit_code == 0, done.stderr
    assert f"accepted words: {len(lines) - 1}" in done.stderr
    told = (out / "data" / "anonymisation.json").read_text()
    passed = json.loads(told)["audit"]["accepted_words"]
    assert sum(each["words"] for each in passed) == len(lines) - 1
    assert "zigblee" not in told
    remarks = verify(out, watcher).remarks
    said = f"published with {len(lines) - 1} words that were accepted one by one: "
    assert [r for r in remarks if r.startswith(f"{said}campaigns/")]
