"""The rules of cleaning that one chooses reach samples, tables and what is printed."""

import json

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from analysis.errors import AnalysisError
from analysis.evaluate.samples import cut_of, samples_of
from analysis.evaluate.table import feature_tables
from analysis.packets import CLEANING_RULES
from testbed.cli import learn
from testbed.cli.options import rules_of
from testbed.errors import ConfigError

N = 10  # windows, five of each activity: what a score needs


@pytest.fixture
def folder(campaign, craft):
    """In each of ten windows: a segment, the same again, a datagram that is wrong."""
    # each of another length: twins on both sides of a split are refused
    segments = [craft.tcp4(b"x" * (9 + n), seq=1 + 50 * n) for n in range(N)]
    wrong = bytearray(craft.udp4(b"x"))
    wrong[24] ^= 1  # of the checksum of the header
    packets = [(0, craft.udp4(b"before"))]
    for n, segment in enumerate(segments):
        at_s = 10 * n + 1
        packets += [(at_s, segment), (at_s + 1, segment), (at_s + 2, bytes(wrong))]
        packets += [(at_s + 6 + k / 10, craft.udp4(b"x")) for k in range(3)]
    rows = [(10 * n + 1, {"activity": "on" if n % 2 else "off"}) for n in range(N)]
    return campaign([packets], rows)


@pytest.fixture
def command():
    app = typer.Typer(pretty_exceptions_enable=False)
    learn.register(app)

    def _command(*words):
        texts = [str(word) for word in words]
        return CliRunner().invoke(app, texts, catch_exceptions=False)

    return _command


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (("errors", "retransmissions"), 1),
        (("errors",), 2),
        (("retransmissions", "keep_alives"), 2),
        ((), 3),
    ],
)
def test_windows_hold_what_the_chosen_rules_leave(folder, rules, left):
    assert samples_of(folder, "lamp", rules=rules).n_packets.tolist() == [left] * N
    made = cut_of(folder, "lamp", rules=rules)
    assert made.windows.n_packets.tolist() == [left] * N
    assert set(made.cleaned.removed) == set(rules)
    (table,) = feature_tables(folder, ["lamp"], rules=rules)
    assert table["n_packets"].to_list() == [left] * N


def test_by_default_it_is_as_in_the_paper(folder):
    assert samples_of(folder, "lamp").n_packets.tolist() == [1] * N
    with pytest.raises(AnalysisError, match="no cleaning rule is called 'wrong'"):
        samples_of(folder, "lamp", rules=["wrong"])


def test_names_of_rules_are_checked():
    assert rules_of(None) == ("errors", "retransmissions")
    assert rules_of(["none"]) == ()
    assert rules_of(["out_of_order", "errors", "errors"]) == ("out_of_order", "errors")
    with pytest.raises(ConfigError, match=r"^--clean: must be one of .*, none,"):
        rules_of(["error"])
    with pytest.raises(ConfigError, match=r"^--clean: none stands alone"):
        rules_of(["none", "errors"])
    assert set(rules_of(list(CLEANING_RULES))) == set(CLEANING_RULES)


def test_features_and_evaluate_take_the_rules_and_print_each(folder, command, tmp_path):
    out = tmp_path / "features.parquet"
    command("features", folder, "--out", out, "--clean", "none")
    assert pl.read_parquet(out)["n_packets"].to_list() == [3] * N
    words = ("evaluate", folder, "--classifier", "nb", "--split", "s0_folds")
    shown = command(*words).output
    assert "cleaning: 10 errors, 10 retransmissions removed of 61 packets" in shown
    shown = command(*words, "--clean", "keep_alives").output
    assert "cleaning: 0 keep_alives removed of 61 packets" in shown
    shown = command(*words, "--clean", "none").output
    assert "cleaning: no rule, all 61 packets kept" in shown
    told = json.loads(command(*words, "--clean", "errors", "--json").stdout)
    assert told["cleaning"] == ["errors"]
    assert told["devices"][0]["removed"] == {"errors": N}
