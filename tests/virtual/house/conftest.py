from pathlib import Path

import numpy as np
import pytest
import yaml


@pytest.fixture(scope="session")
def anchors():
    path = Path(__file__).with_name("anchors.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def figures():
    """Return packets, bytes and span per trial, (n, 5): columns as named."""

    def measure(traces, header_b=0):
        rows = []
        for trace in traces:
            size_b = trace.frame_b - header_b
            out_b = size_b[trace.out].sum()
            in_b = size_b[~trace.out].sum()
            span_s = trace.time_s[-1] - trace.time_s[0]
            rows.append((len(size_b), out_b, in_b, out_b + in_b, span_s))
        return np.array(rows, dtype=float)

    return measure
