"""The second opinion in tasks: side by side, in shares, gone on with after a kill."""

import shutil

import pytest

from analysis.exporters.audit import PLAIN, SAME, UNREAD, opinion, pairs
from analysis.exporters.audit.looking import Looker
from analysis.exporters.audit.plain import Share
from analysis.pcap.decode import decode_batch
from analysis.pcap.stream import open_capture_stream

N = 2


class Remembered(dict):
    """Keeps what tasks saw; ends everything after so many."""

    def __init__(self, most=1 << 30):
        super().__init__()
        self.most = most
        self.loaded = []

    def load(self, unit, files):
        assert all(path.is_file() for path in files)
        self.loaded += [unit] * (unit in self)
        return self.get(unit)

    def save(self, unit, files, seen):
        if len(self) == self.most:
            raise KeyboardInterrupt
        self[unit] = seen


@pytest.fixture(scope="module")
def folder(tmp_path_factory, house_of):
    """Return a published folder and the recorded captures: nothing was replaced."""
    tmp_path, originals = tmp_path_factory.mktemp("pairs"), {}
    for number in range(N):
        house = house_of()
        for k in range(40):
            said = b"owner Vintrelka; seat %s" % (b"Jotesha" if k % 9 == 0 else b"-")
            house.udp("192.0.2.1", "192.0.2.2", (4000 + k, 7331), said)
        house.tcp("192.0.2.1", "192.0.2.2", (5000, 7332), b"owner Quod", b"rasnu;")
        file = f"campaigns/evening/raw/lan-{number}.pcapng"
        source = tmp_path / "recorded" / f"lan-{number}.pcapng"
        source.parent.mkdir(exist_ok=True)
        house.write(source, comment="", names=bytes(4))
        (tmp_path / "set" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tmp_path / "set" / file)
        originals[file] = source
    return tmp_path / "set", originals


def looked(folder, **how):
    looker, steps = Looker(()), []
    opinion.second_opinion(looker, *folder, steps.append, **how)
    assert sum(steps) == opinion.compared_b(*folder)
    return looker.findings(), looker.looked_at


@pytest.fixture(scope="module")
def whole(folder):
    return looked(folder)


def test_all_words_and_fields_are_found_in_one_go(whole):
    findings, _ = whole
    assert {found.kind for found in findings} == {PLAIN, SAME}
    said = {word for found in findings for word in found.words}
    assert {"Vintrelka", "Jotesha", "Quodrasnu"} <= said


def test_side_by_side_it_finds_the_same(folder, whole, monkeypatch):
    monkeypatch.setattr(opinion, "_WORTH_IT_B", 0)
    assert looked(folder, jobs=2) == whole


def test_in_shares_it_finds_the_same(folder, whole, monkeypatch):
    monkeypatch.setattr(pairs, "_SHARE_B", 1 << 10)
    findings, _ = looked(folder)
    assert [(f.file, f.kind, f.encoding, set(f.words), f.n) for f in findings] == [
        (f.file, f.kind, f.encoding, set(f.words), f.n) for f in whole[0]
    ]


def test_each_packet_is_in_one_share(folder):
    path = next(iter(folder[1].values()))
    with open_capture_stream(path) as capture:
        batch = next(iter(capture))
    decoded = decode_batch(batch)
    own = [Share(number, 4).rows(decoded) for number in range(4)]
    assert sum(each.astype(int) for each in own).tolist() == [1] * len(batch)
    assert all(each.any() for each in own)


def test_fields_of_captures_that_roll_on_are_told_once(folder, whole, monkeypatch):
    monkeypatch.setattr(pairs, "_TOGETHER_B", 0)
    findings, _ = looked(folder)
    assert findings == whole[0]


def test_what_was_compared_before_a_kill_is_not_compared_again(folder, whole):
    kept = Remembered(most=1)
    with pytest.raises(KeyboardInterrupt):
        looked(folder, kept=kept)
    kept.most, before = 1 << 30, list(kept)
    assert looked(folder, kept=kept) == whole
    assert kept.loaded == before
    kept.loaded = []
    assert looked(folder, kept=kept) == whole
    assert len(kept.loaded) == len(kept) == N + 1


def test_words_are_read_again_when_other_ports_are_opaque(folder, monkeypatch):
    kept = Remembered()
    looked(folder, kept=kept)
    kept.loaded = []
    monkeypatch.setattr(opinion, "_fields_of_tshark", lambda _: ())
    looked(folder, kept=kept)
    assert kept.loaded == [name for name in kept if name.startswith("words")]
    before = dict(kept)
    assert before == kept


def test_what_could_not_be_compared_is_tried_again(folder, tmp_path):
    damaged = tmp_path / "lan-0.pcapng"
    damaged.write_bytes(b"no capture")
    kept, originals = Remembered(), dict(folder[1])
    originals[min(originals)] = damaged
    findings, _ = looked((folder[0], originals), kept=kept)
    assert UNREAD in {found.kind for found in findings}
    assert len([name for name in kept if name.startswith("words")]) == N - 1
