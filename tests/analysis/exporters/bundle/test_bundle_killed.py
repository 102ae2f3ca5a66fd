"""What a killed call leaves: the next one goes on from it, or takes none of it."""

import json
from dataclasses import replace

import pytest

from analysis.exporters.bundle import pipeline, publish, sealing
from analysis.exporters.bundle.work import Work
from analysis.exporters.identifiers import Identifier


class KilledError(BaseException):
    """Stands for a kill: nothing of the publication may catch it."""


class Killer:
    """Lets a publication live until it has done one step more."""

    def __init__(self):
        self.steps = []

    def begin(self, step, total_b):
        pass

    def read(self, size_b):
        pass

    def end(self, step, note):
        if step in self.steps or step == "check":
            assert note == "kept" or step in ("check", "captures")
            return
        self.steps.append(step)
        raise KilledError


def test_killed_after_every_step_it_goes_on_and_makes_the_same_bytes(
    published, tmp_path, request_for, contents
):
    request, killer = request_for(tmp_path / "set"), Killer()
    while not request.out.exists():
        try:
            publish(request, killer)
        except KilledError:
            assert not request.out.exists()
            assert not request.parts.exists()
            # nobody of ours made it, and once the audit is done nobody looks at it
            if (request.draft / "bag" / "data").exists():
                (request.draft / "bag" / "data" / "notes.txt").write_text("of somebody")
    assert len(killer.steps) >= 12
    assert contents(request.out) == contents(published)
    assert contents(request.parts) == contents(published.with_name("set.parts"))
    assert not request.draft.exists()


def test_killed_while_it_is_put_in_place_it_is_put_there_by_the_next_call(
    tmp_path, request_for, watcher, monkeypatch
):
    accept = ("plain:tcp/1", "same:zzz")
    request = request_for(tmp_path / "set", accept=accept)

    def killed(request):
        (request.draft / "parts").rename(request.parts)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "_finish", killed)
        patch.setattr(pipeline, "_make", lambda *_: _stand_in(request))
        with pytest.raises(KilledError):
            publish(request, watcher)
    assert not request.out.exists()
    made = publish(request, watcher)
    assert made.unneeded == ("same:zzz",)
    assert (request.out / "data").is_dir()
    assert not request.draft.exists()


@pytest.fixture
def _killed_before_the_move(monkeypatch):
    def finish(request):
        raise KilledError

    monkeypatch.setattr(pipeline, "_finish", finish)


@pytest.mark.usefixtures("_killed_before_the_move")
@pytest.mark.parametrize("other", ["secrets", "results", "campaign", "code", "key"])
def test_killed_before_it_is_put_in_place_it_is_made_again_when_asked_otherwise(
    campaign, tmp_path, request_for, watcher, monkeypatch, other
):
    request, made = request_for(tmp_path / "set", campaign), []

    def make(work, sources):
        made.append(work.request)
        if not work.bag.exists():
            _stand_in(request)
        return ()

    monkeypatch.setattr(pipeline, "_make", make)
    for _ in range(2):
        with pytest.raises(KilledError):
            publish(request, watcher)
    assert len(made) == 1
    asked = request
    if other == "secrets":
        told = Identifier(kind="person", value="Mona Lindqvist")
        asked = replace(request, extra=(told,))
    elif other == "results":
        asked = replace(request, results=Recipe())
    elif other == "key":
        asked = replace(request, key=bytes(32))
    elif other == "campaign":
        (campaign / "labelled" / "labels.json").unlink()
    else:
        monkeypatch.setattr(pipeline, "code_digest", lambda: "of another version")
    with pytest.raises(KilledError):
        publish(asked, watcher)
    assert len(made) == 2


@pytest.mark.usefixtures("_killed_before_the_move")
def test_what_was_whole_before_another_call_began_is_looked_at_again(
    tmp_path, request_for, watcher, monkeypatch
):
    request, made = request_for(tmp_path / "set"), []

    def make(work, sources):
        made.append(work.request)
        if work.request.extra:
            raise KilledError
        if not work.bag.exists():
            _stand_in(request)
        return ()

    monkeypatch.setattr(pipeline, "_make", make)
    told = Identifier(kind="person", value="Mona Lindqvist")
    for asked in (request, replace(request, extra=(told,)), request):
        with pytest.raises(KilledError):
            publish(asked, watcher)
    assert len(made) == 3


@pytest.mark.usefixtures("_without_tshark")
def test_a_capture_of_a_call_that_was_killed_is_not_taken_for_that_of_another(
    tmp_path, request_for, watcher, monkeypatch
):
    word = b"characteristics"  # of a payload
    told = (Identifier(kind="person", value=word.decode()),)
    asked = request_for(tmp_path / "set", accept=("unread:tshark",), part_b=0)

    def killed(*_):
        raise KilledError

    whole = replace(asked, extra=told)
    # the second one when a capture is written and not entered yet
    for request, place, name in ((whole, sealing, "seal"), (asked, Work, "done")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, killed)
            with pytest.raises(KilledError):
                publish(request, watcher)
    publish(whole, watcher)
    (raw,) = (asked.out / "data" / "campaigns").glob("*/raw/*.pcapng")
    assert word not in raw.read_bytes()


class Recipe:
    recipe = {"classifiers": ["rf"]}  # noqa: RUF012

    def write(self, campaign, out):
        pass


def _stand_in(request):
    for name in ("bag/data", "parts"):
        (request.draft / name).mkdir(parents=True)
    (request.draft / "bag/data/anonymisation.json").write_text(
        '{"kept": {}, "audit": {"accepted": [{"names": ["plain:tcp/1", "plain"]}]}}'
    )


def test_nothing_is_left_of_a_draft_with_other_options(
    published, tmp_path, request_for, watcher, contents
):
    class Results:
        recipe = {"made_by": "test"}  # noqa: RUF012

        def write(self, campaign, out):
            out.mkdir(parents=True)
            (out / "old.csv").write_text("old")

    request, killer = request_for(tmp_path / "set"), Killer()
    # in payloads: captures of the same size with other bytes
    extra = (Identifier(kind="person", value="characteristics"),)
    other = replace(request, extra=extra, results=Results())
    while "results" not in killer.steps:
        with pytest.raises(KilledError):
            publish(other, killer)
    assert list(request.draft.rglob("old.csv"))
    (request.draft / "parts").mkdir()
    (request.draft / "parts" / "set-01.zip").write_text("old")
    publish(replace(request, part_b=0), watcher)
    assert "check" in watcher.anew
    assert contents(request.out) == contents(published)
    assert not request.parts.exists()


def test_the_draft_is_for_its_owner_alone(tmp_path, request_for):
    request, killer = request_for(tmp_path / "set"), Killer()
    with pytest.raises(KilledError):
        publish(request, killer)
    assert request.draft.stat().st_mode & 0o777 == 0o700
    ledger = (request.draft / "ledger.json").read_text()
    assert json.loads(ledger)["steps"]["identifiers"]
    assert request.key.hex() not in ledger
