from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from analysis.detectors.cadesh.alternatives import ALTERNATIVES, alternative
from analysis.detectors.cadesh.autoencoder import BACKENDS, Scale, network
from analysis.detectors.cadesh.detector import Choices, FlowDetector
from analysis.detectors.cadesh.known import METHODS, learn_known
from analysis.detectors.cadesh.rows import NAMES, home_of, rows_of, rows_of_all
from analysis.errors import RequestError
from analysis.flows import FlowRecords

QUICK = Choices(epochs=4, sample=800)
POOL = ("a", "b", "c")
INSTALLED = [name for name in BACKENDS if name != "torch" or find_spec("torch")]


@pytest.fixture
def pool(home):
    return {name: home_of(home(name)) for name in POOL}


@pytest.fixture
def lab(home, knocks):
    return home_of(home("lab", more=knocks))


def rows_of_lab(lab, pool):
    return rows_of(lab, [each.tables for each in pool.values()])


@pytest.mark.parametrize("method", METHODS)
def test_strangers_alarm_and_the_usual_does_not(pool, lab, method):
    detector = FlowDetector(replace(QUICK, step_two=method)).fit(rows_of_all(pool))

    scored = detector.score(rows_of_lab(lab, pool))

    strange = lab.flows.remote_port == 23
    assert scored.alarm[strange].mean() > 0.95
    assert scored.alarm[~strange].mean() < 0.02
    assert np.isfinite(scored.score).all()


@pytest.mark.parametrize("name", ALTERNATIVES)
def test_alternatives_rank_strangers_first_under_the_same_contract(pool, lab, name):
    detector = alternative(name, sample=800).fit(rows_of_all(pool))

    scored = detector.score(rows_of_lab(lab, pool))

    strange = lab.flows.remote_port == 23
    assert np.median(scored.score[strange]) > np.quantile(scored.score[~strange], 0.95)


def test_one_seed_gives_one_detector(pool, lab):
    rows = rows_of_lab(lab, pool)
    first, second = (FlowDetector(QUICK).fit(rows_of_all(pool)) for _ in range(2))

    assert np.array_equal(first.score(rows).score, second.score(rows).score)


def test_what_one_home_alone_has_shown_is_not_known():
    rng = np.random.default_rng(0)
    usual, odd = rng.normal(0, 0.1, (40, 3)), rng.normal(9, 0.1, (40, 3))
    for method in METHODS:
        points = {"a": np.vstack((usual, odd)), "b": usual + 0.01}
        one = learn_known(points, method=method, least=1).distance(odd[:5])
        two = learn_known(points, method=method, least=2).distance(odd[:5])

        assert one.max() < 1 < 5 < two.min(), method


def test_a_home_is_never_compared_with_itself(home):
    homes = {name: home_of(home(name)) for name in ("a", "b")}

    alone = rows_of(homes["a"], [homes["b"].tables])
    among = rows_of_all(homes)["a"]

    assert np.array_equal(alone.x, among.x)


def test_nothing_of_the_future_is_looked_at(home, knocks):
    later = [(at, "late.maker.example", "198.18.3.3", 443, 9, 9) for at, *_ in knocks]
    early = home_of(home("lab"))
    before = early.flows.start_ns < early.flows.start_ns[0] + 3 * 86_400 * 10**9

    plain = [home_of(home(n)).tables for n in POOL]
    changed = [home_of(home(n, more=later)).tables for n in POOL]

    now = rows_of(early, plain).x[before]
    assert np.allclose(now, rows_of(early, changed).x[before], atol=1e-9)
    cut = home_of(early.flows.take(before))
    assert np.allclose(now, rows_of(cut, plain).x, atol=1e-9)


def test_a_resolver_is_of_the_home_wherever_it_stands(home):
    asks = [(3.0 * 86_400 + k, "", "192.0.2.54", 53, 40, 60) for k in range(9)]
    inside = [(at, "", "192.168.0.1", 53, out, into) for at, *_, out, into in asks]
    others = [home_of(home(n, more=inside)).tables for n in POOL]
    lab = home_of(home("lab", more=[(at + 9e3, *row) for at, *row in asks]))

    dns = lab.flows.remote_port == 53
    assert rows_of(lab, others).x[dns, NAMES.index("server_week")].min() == 1.0


def test_broadcasts_are_the_same_in_every_lan(home):
    def tells(network):
        at = 3.0 * 86_400
        return [(at + 9 * k, "", f"{network}.255", 57_621, 44, 0) for k in range(9)]

    others = [home_of(home(n, more=tells("10.0.0"))).tables for n in POOL]
    late = [(at + 9e3, *row) for at, *row in tells("192.168.0")]
    lab = home_of(home("lab", more=late))

    told = lab.flows.remote_port == 57_621
    assert rows_of(lab, others).x[told, NAMES.index("server_week")].min() == 1.0


def test_a_habit_spares_one_home_and_inside_of_the_home_all(home):
    def odd(first_day):
        days = (first_day, 9.0)
        outside = [
            (d * 86_400, "own.skill.example", "198.18.5.5", 443, 9, 9) for d in days
        ]
        inside = [(d * 86_400 + 5, "", "10.0.0.255", 57_621, 44, 0) for d in days]
        return [*outside, *inside]

    before, since = (home_of(home("lab", days=10, more=odd(d))) for d in (3.0, 8.0))
    for lab, least in ((before, (1, 2)), (since, (0, 0))):
        spared = rows_of(lab, []).spared
        of = lab.flows.server_name.is_in("own.skill.example")
        sings = lab.flows.remote_port == 57_621
        assert (spared[of][-1], spared[sings][-1]) == least
        assert spared[of][0] == spared[sings][0] == 0  # nothing is a habit at first


def test_two_of_six_others_make_nothing_known_and_of_five_they_do(home):
    odd = [(3.0 * 86_400, "odd.maker.example", "198.18.5.5", 443, 9, 9)]
    lab = home_of(home("lab", more=[(odd[0][0] + 9e3, *odd[0][1:])]))
    of = lab.flows.server_name.is_in("odd.maker.example")
    shown = [home_of(home(n, more=odd)).tables for n in ("a", "b")]
    clean = [home_of(home(n)).tables for n in ("c", "d", "e", "f")]

    weeks = [
        rows_of(lab, [*shown, *some]).x[of, NAMES.index("server_week")]
        for some in (clean[1:], clean)
    ]
    assert weeks == [0.4, 0.0]
    rows = {f"home {k}": rows_of(lab, clean) for k in range(7)}
    of_seven, of_six = (
        FlowDetector(QUICK).fit(dict(list(rows.items())[:n])).choices.least
        for n in (7, 6)
    )
    assert (of_seven, of_six) == (3, 2)


def test_a_habit_stands_for_one_of_three_homes_and_not_for_one_of_two():
    rng = np.random.default_rng(0)
    usual, odd = rng.normal(0, 0.1, (40, 3)), rng.normal(9, 0.1, (40, 3))
    both, habit = np.vstack((usual, odd)), np.array([0, 1, 0, 1])
    for method in METHODS:
        three = learn_known({"a": both, "b": both, "c": usual}, method=method, least=3)
        two = learn_known({"a": both, "b": usual}, method=method, least=2)

        far = three.distance(odd[:4], habit) > 5
        assert far.tolist() == [True, False, True, False], method
        assert (two.distance(odd[:4], habit) > 5).all(), method


def test_homes_with_another_secret_have_nothing_in_common(home):
    flows = home("a")
    week = NAMES.index("server_week")
    others = [home_of(home(n), "ours").tables for n in POOL]

    assert rows_of(home_of(flows, "ours"), others).x[-1, week] == 1.0
    assert rows_of(home_of(flows, "theirs"), others).x[-1, week] == 0.0


def test_homes_without_flows_are_left_out_and_none_at_all_is_refused(pool):
    rows = rows_of_all(pool)
    empty = rows["a"].take(np.zeros(0, dtype=np.int64))

    detector = FlowDetector(QUICK).fit({**rows, "empty": empty})
    assert detector.score(empty).score.shape == (0,)
    with pytest.raises(RequestError, match="no flow to learn from"):
        FlowDetector(QUICK).fit({"empty": empty})
    with pytest.raises(RequestError, match="learnt nothing"):
        FlowDetector(QUICK).score(empty)


def test_hostile_flows_have_finite_scores(home, pool):
    flows = home("odd", days=1)
    twice = FlowRecords.joined([flows, flows])
    backwards = flows.take(np.arange(len(flows))[::-1])
    one = flows.take(slice(0, 1))
    detector = FlowDetector(QUICK).fit(rows_of_all(pool))

    for some in (twice, backwards, one, flows.take(slice(0, 0))):
        scored = detector.score(rows_of_lab(home_of(some), pool))
        assert scored.score.shape == (len(some),)
        assert np.isfinite(scored.score).all()


def test_a_single_home_is_judged_by_its_own_halves(home):
    rows = rows_of(home_of(home("lab")), []).own()

    detector = FlowDetector(replace(QUICK, least=1)).fit({"lab": rows})

    assert 0 < detector.limit < 1e3
    assert detector.score(rows).alarm.mean() < 0.02


@pytest.mark.parametrize("backend", INSTALLED)
def test_networks_of_all_backends_redraw_what_they_have_learnt(backend):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 2)) @ rng.normal(size=(2, 12))
    learnt = network(backend, seed=1, epochs=150).learn(Scale.of(x)(x))

    scaled = Scale.of(x)(x)
    noise = rng.normal(size=x.shape)
    assert np.mean((learnt.redrawn(scaled) - scaled) ** 2) < 0.3
    assert np.mean((learnt.redrawn(noise) - noise) ** 2) > 0.5


def test_torch_that_is_missing_is_told_of(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)

    with pytest.raises(RequestError, match="extra 'deep'"):
        network("torch", seed=0, epochs=1)
    with pytest.raises(RequestError, match="no backend"):
        network("jax", seed=0, epochs=1)


def test_what_one_home_was_made_to_do_all_day_is_not_learnt_as_usual(home, monkeypatch):
    taken = [
        (60.0 * k, "miners.stranger.example", "198.18.5.5", 443, 9, 9)
        for k in range(2_000)
    ]
    homes = {n: home_of(home(n)) for n in "bcdefg"}
    homes["a"] = home_of(home("a", more=taken))
    odd = homes["a"].flows.server_name.is_in("miners.stranger.example")
    rows = rows_of_all(homes)
    learnt = []
    monkeypatch.setattr(
        FlowDetector, "_network", lambda self, samples: learnt.append(samples)
    )
    monkeypatch.setattr(
        FlowDetector,
        "_held_out",
        lambda self, samples, seen: {
            n: [np.zeros((len(r), len(NAMES)))] for n, r in seen.items()
        },
    )
    detector = FlowDetector(replace(QUICK, step_two="none", sample=10**6)).fit(rows)
    of_taken = learnt[-1][list(rows).index("a")]
    shared = rows["a"].x[:, NAMES.index("domain_week")] > 0
    assert not (odd & shared).any()
    assert np.array_equal(of_taken, detector.scale(rows["a"].x[shared]))


def test_two_of_seven_homes_that_set_a_high_limit_do_not_raise_it():
    detector = FlowDetector(replace(QUICK, step_two="none"))
    detector.limit_error = 0.0
    homes = [np.full(100, limit) for limit in (3.0, 4.0, 5.0, 5.0, 9.0, 9.0, 9.0)]
    taken = [np.full(100, 1e6), np.full(100, 1e6)]
    assert detector._farthest(homes[:5] + taken) == detector._farthest(homes) == 5.0
