"""What an audit could not say, and what was accepted in spite of it, is told."""

from analysis.verify import papers

POLICY = dict.fromkeys(papers._POLICY, "so") | {"beacons": "left out"}
LOOKED = {"files": 3}


def faults(audit):
    about = {"policy": POLICY, "audit": {"findings": 0, "looked_at": LOOKED} | audit}
    return [place for place, _ in papers._of_audit(about)]


def test_what_older_audits_only_noted_is_a_fault():
    assert faults({"accepted": [], "notes": []}) == []
    assert faults({"notes": ["tshark is not installed"]}) == ["audit.notes"]


def test_what_was_accepted_is_told():
    each = {"kind": "plain", "file": "a.pcapng", "place": "lamp, tcp/6668", "n": 1}
    told = papers._accepted(each)
    assert "lamp, tcp/6668" in told
    assert "nobody looked at" in papers._accepted(each | {"kind": "unread"})
