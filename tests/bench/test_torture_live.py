import pytest

from tests.bench.torture.life import Kill, judged, live_through
from tests.bench.torture.scenes import live_scene

SEED = 1
LIVE_SCENARIO = """\
scenario: torture
seed: 1
select:
  - {device: tplink_hs110, activities: [read_state]}
  - {device: wemo_insight, activities: [turn_on], channels: [api]}
rest: 0.2 s
idle: 0.2 s
"""
LIVE_KILLS = ("journal:after:14", "fetch.copy:after:1", "fetch.remove:before:1")


@pytest.mark.live
def test_kills_in_the_live_lab_leave_nothing_on_the_router(tmp_path):
    with live_scene(tmp_path) as scene:
        scene.scenario = LIVE_SCENARIO
        place = scene.place(SEED)
        told = live_through(scene.hands, place, (Kill(at=k) for k in LIVE_KILLS))
        assert judged(place, told, None).verdict.faults == []
        assert [k.at for k in told.landed] == list(LIVE_KILLS)
        router = scene.orphans()
        assert [one for one in router if "on the router" in one] == []
        assert [one for one in router if "shark" in one or "dumpcap" in one] == []
        assert [one for one in router if "supervisor.sh" in one] == []
