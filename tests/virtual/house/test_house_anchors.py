from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from testbed.virtual.fast.sample import sample_activity, sample_commands
from testbed.virtual.house.act import Act
from testbed.virtual.house.unit import Unit, draw_unit
from testbed.virtual.house.utterances import draw_commands

COLUMNS = ("packets", "out_b", "in_b", "total_b", "span_s")
ANCHORS = yaml.safe_load(
    Path(__file__).with_name("anchors.yaml").read_text(encoding="utf-8")
)
IP_ONLY = 14  # Ethernet header, which the public Echo traces do not count


def _name(case):
    return (
        f"{case['device']}-{case['activity']}-{case['channel']}-{case.get('network')}"
    )


each_interaction = pytest.mark.parametrize(
    ("number", "case"),
    list(enumerate(ANCHORS["interactions"])),
    ids=[_name(c) for c in ANCHORS["interactions"]],
)


@cache
def _trials(number):
    """Return trials of an interaction, made once for all that look at them."""
    case = ANCHORS["interactions"][number]
    act = Act(
        activity=case["activity"],
        channel=case["channel"],
        network=case.get("network"),
        state={"power": "on", "switch": "off"},
    )
    return sample_activity(
        Unit(device=case["device"]),
        act,
        31,
        seed=5,
        cloud_only=case.get("cloud_only", False),
    )


@each_interaction
def test_medians_are_within_a_quarter_of_the_measured_ones(number, case, figures):
    table = figures(_trials(number))
    medians = dict(zip(COLUMNS, np.median(table, axis=0), strict=True))
    for column in COLUMNS:
        if column in case:
            measured = case[column]
            low, high = measured if isinstance(measured, list) else (measured,) * 2
            assert 0.75 * low <= medians[column] <= 1.25 * high, column


@each_interaction
def test_trials_vary_at_least_as_much_as_the_measured_ones(number, case, figures):
    table = figures(_trials(number))
    for column, measured in case["cv"].items():
        values = table[:, COLUMNS.index(column)]
        assert values.std(ddof=1) / values.mean() >= measured, column


def test_spoken_commands_have_the_medians_of_real_ones(anchors, figures):
    table = figures(_spoken(), IP_ONLY)
    for column in ("packets", "out_b", "in_b", "span_s"):
        median = np.median(table[:, COLUMNS.index(column)])
        measured = anchors["spoken_commands"][column]
        assert 0.75 * measured <= median <= 1.25 * measured, column


def test_a_spoken_command_varies_as_much_as_a_real_one(anchors, figures):
    per_command = figures(_spoken(), IP_ONLY).reshape(80, 5, len(COLUMNS))
    cv = per_command.std(axis=1, ddof=1) / per_command.mean(axis=1)
    for column, measured in anchors["spoken_commands"]["cv"].items():
        # Five repeats per command: the median over 80 commands is good to about 5 %.
        simulated = np.median(cv[:, COLUMNS.index(column)])
        assert simulated >= 0.95 * measured, column


def test_on_and_off_of_a_plug_are_alike_on_the_encrypted_side(figures):
    unit = Unit(device="tplink_hs110")
    on, off = (
        figures(
            sample_activity(
                unit,
                Act(activity=activity, channel="phone", network="lan"),
                60,
                seed=3,
                cloud_only=True,
            )
        )
        for activity in ("turn_on", "turn_off")
    )
    for column in range(len(COLUMNS)):
        pooled = np.concatenate([on[:, column], off[:, column]]).std()
        assert abs(on[:, column].mean() - off[:, column].mean()) < 0.5 * pooled


@cache
def _spoken():
    unit = draw_unit("echo_dot", unit="1", firmware="", session=0, seed=2)
    return sample_commands(unit, draw_commands(80, 4), 5, seed=2)
