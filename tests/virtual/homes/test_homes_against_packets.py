"""The short way to flow records against the long one, by packets, of the fast lab.

What may differ is stated here; docs/homes-results.md has the figures of longer spans.
"""

import pytest

from tests.bench.homes_agreement import both, figures


@pytest.fixture(scope="module")
def found(echo):
    return figures(both(echo, hours=3, seed=3))


@pytest.mark.parametrize(
    ("what", "share"),
    [
        ("records", 0.03),
        ("closed", 0.0),
        ("packets out", 0.05),
        ("packets in", 0.10),
        ("bytes out", 0.02),
        ("bytes in", 0.02),
        ("payload out", 0.01),
        ("payload in", 0.01),
    ],
)
def test_sums_agree(found, what, share):
    long, short = found[what]
    assert short == pytest.approx(long, rel=share)
    assert long > 10


@pytest.mark.parametrize("share", ["25%", "50%", "75%", "90%"])
def test_records_are_spread_alike(found, share):
    of = {
        what: found[f"{share} of records: {what}"] for what in ("packets", "bytes", "s")
    }
    assert of["packets"][1] == pytest.approx(of["packets"][0], abs=1)
    assert of["bytes"][1] == pytest.approx(of["bytes"][0], rel=0.05)
    assert of["s"][1] == pytest.approx(of["s"][0], rel=0.05, abs=0.003)
