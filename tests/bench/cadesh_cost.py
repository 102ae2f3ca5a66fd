"""What the flow detector costs: time, memory, and what leaves a home."""

import resource
import time
from typing import TYPE_CHECKING

import numpy as np

from analysis.detectors.cadesh.detector import FlowDetector
from analysis.detectors.cadesh.live import Watch
from analysis.detectors.cadesh.pool import Table
from analysis.detectors.cadesh.rows import NAMES, rows_of
from analysis.detectors.cadesh.store import FlowModel
from analysis.flows import FlowRecords

if TYPE_CHECKING:
    from tests.bench.cadesh import Seed

_AT_ONCE, _WATCHED = 100, 3_000  # flows
_ROW_B = 8 * (1 + 1 + 4)


def cost(of: "Seed", detector: FlowDetector) -> dict:
    """Return what was spent on homes and features, processor time in s."""
    tables = [of.homes[name].tables for name in of.pool]
    hours = {kind: len(table.hour) for kind, table in tables[0].items()}
    homes = {kind: seen_by([t[kind] for t in tables]) for kind in hours}
    flows = of.homes[of.lab].flows
    begin = time.process_time()
    rows = of.split.asked(rows_of(of.homes[of.lab], tables))
    detector.score(rows)
    ask_s = time.process_time() - begin
    model = FlowModel(
        detector=detector,
        pool=dict(zip(of.pool, tables, strict=True)),
        secret="",
        models=(),
    )
    return {
        "flows": sum(len(home.flows) for home in of.homes.values()),
        "simulated_s": round(of.simulated_s, 1),
        "read_and_keys_s": round(of.prepared_s, 1),
        "features_s": round(of.features_s, 1),
        "rows_leaving_a_home_a_day": {k: round(n / of.days) for k, n in hours.items()},
        "bytes_a_row": _ROW_B,
        "share_of_keys_of_one_home": {
            kind: round(float((n < 2).mean()), 3) for kind, n in homes.items()
        },
        "columns": len(NAMES),
        "ask_flows_per_s": round(len(flows) / ask_s),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    } | watched(model, flows, of.is_asked)


def seen_by(tables: list[Table]) -> np.ndarray:
    """Return of each key in how many homes it is."""
    return np.unique(np.concatenate([t.keys for t in tables]), return_counts=True)[1]


def watched(model: FlowModel, flows: FlowRecords, is_asked: np.ndarray) -> dict:
    """Return how fast flows are told of that come by hundreds after a past of weeks."""
    asked = flows.take(is_asked)
    before = flows.take(flows.start_ns < asked.start_ns[0])
    watch = Watch(model=model, past=before)
    list(watch.told(asked.take(slice(0, _AT_ONCE))))
    begin = time.process_time()
    for first in range(_AT_ONCE, _WATCHED, _AT_ONCE):
        list(watch.told(asked.take(slice(first, first + _AT_ONCE))))
    lasts_s = time.process_time() - begin
    return {
        "watch_flows_per_s": round((_WATCHED - _AT_ONCE) / lasts_s),
        "watch_remembers": len(watch.past),
        "past_flows": len(before),
    }
