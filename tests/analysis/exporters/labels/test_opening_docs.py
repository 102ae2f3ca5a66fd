"""The examples of docs/opening.md run on a dataset, as far as tools are installed."""

import re
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from analysis.dataset import load_activities
from analysis.exporters.bundle.tables import tables_of, write_frame
from analysis.labelling import label_windows
from analysis.packets import load_packets

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs" / "opening.md"
EXAMPLE = ROOT / "captures" / "example"
BLOCKS = re.findall(r"```python( torch)?\n(.+?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("opening")
    data = folder / "kitchen" / "data"
    (data / "campaigns").mkdir(parents=True)
    frames = tables_of([EXAMPLE])
    (name,) = frames["devices"]["campaign"].unique()
    (data / "campaigns" / name).symlink_to(EXAMPLE)
    for table, frame in frames.items():
        write_frame(frame, data / "tables" / table)
    return folder


@pytest.mark.parametrize("block", [text for torch, text in BLOCKS if not torch])
def test_the_examples_of_the_page_run(block, dataset, monkeypatch, capsys):
    monkeypatch.chdir(dataset)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(block, "opening.md", "exec"), {})  # noqa: S102
    told = capsys.readouterr().out
    assert "echo_dot" in told or "device" in told


def test_there_is_an_example_for_each_tool():
    told = [text.split("import ", 1)[1].split()[0] for _, text in BLOCKS]
    assert {*told} >= {"polars", "duckdb", "glob"}
    assert sum(bool(torch) for torch, _ in BLOCKS) == 1


class Array(np.ndarray):
    """As much of a tensor as the example uses."""

    def float(self):
        return self.astype(np.float32)


def stand_in():
    """Return modules of the names that the example imports, made of numpy."""
    torch, utils, data = (ModuleType(n) for n in ("torch", "torch.utils", "data"))
    torch.from_numpy = lambda values: values.view(Array)
    torch.zeros = lambda *shape: np.zeros(shape, dtype=np.float32).view(Array)
    torch.diff = np.diff
    data.Dataset = object
    data.DataLoader = lambda dataset, **_: [dataset[k] for k in range(len(dataset))]
    torch.utils, utils.data = utils, data
    return {"torch": torch, "torch.utils": utils, "torch.utils.data": data}


def test_the_example_of_torch_gives_windows_of_packets(dataset, monkeypatch, capsys):
    (block,) = (text for torch, text in BLOCKS if torch)
    monkeypatch.chdir(dataset)
    for name, module in stand_in().items():
        monkeypatch.setitem(sys.modules, name, module)
    (campaign,) = (path.name for path in (dataset / "kitchen/data/campaigns").iterdir())
    code = block.replace("NAME_OF_THE_CAMPAIGN", campaign)
    code = code.replace('"echo_dot")', '"tplink_hs110")')
    seen = {}
    exec(compile(code, "opening.md", "exec"), seen)  # noqa: S102
    assert capsys.readouterr().out.count("(256, 2)") == 4
    trials = seen["trials"]
    assert (trials.classes, trials.labels) == (["turn_off", "turn_on"], [1, 0, 1, 0])
    n_packets = [int((trials[k][0][:, 0] != 0).sum()) for k in range(4)]
    log = load_activities(EXAMPLE)
    packets = load_packets(EXAMPLE, "tplink_hs110")
    windows = label_windows(log, "tplink_hs110", widen=False)
    first = np.searchsorted(packets.time_ns, windows.start_ns)
    last = np.searchsorted(packets.time_ns, windows.end_ns)
    assert n_packets == (last - first).tolist()
    sizes = trials[0][0][: n_packets[0], 0] * 1500
    outbound = packets.outbound[first[0] : last[0]]
    assert ((sizes > 0) == outbound).all()
    gaps_s = np.diff(packets.time_ns[first[0] : last[0]]) / 1e9
    assert trials[0][0][1 : n_packets[0], 1] == pytest.approx(gaps_s, rel=1e-5)


def test_polars_and_duckdb_see_the_same_packets(dataset, monkeypatch):
    monkeypatch.chdir(dataset)
    import duckdb

    seen = {}
    for torch, block in BLOCKS:
        if "import polars" in block and not torch:
            exec(compile(block, "opening.md", "exec"), seen)  # noqa: S102
    labelled = seen["labelled"]
    (query,) = re.findall(r'"""(.+?)"""', "".join(b for _, b in BLOCKS), re.DOTALL)[:1]
    rows = duckdb.sql(query).pl()
    assert rows["bytes"].sum() == labelled["length_b"].sum() > 0
    assert rows["packets"].sum() == labelled["len"].sum()
    assert rows["name"].is_not_null().any()
