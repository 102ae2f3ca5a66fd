"""A command loads what it needs, and no more: starting is part of the time."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from typer.main import get_command

from testbed.cli import TOPICS, build, needed

ROOT = Path(__file__).parents[2]
HEAVY = (
    *("testbed.runner", "testbed.drivers", "testbed.virtual", "testbed.model"),
    *("polars", "rich", "sqlalchemy", "jinja2", "matplotlib", "sklearn", "paramiko"),
    *("distributed", "pandas", "scipy.linalg", "scipy.stats"),
)


def test_each_topic_has_the_commands_that_it_is_said_to_have():
    for topic, commands in TOPICS.items():
        assert set(get_command(build([topic])).commands) == set(commands), topic


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("packets a.pcap --device b", ("packets",)),
        ("--debug features folder", ("learn",)),
        ("import pcap --help", ("imports",)),
        ("--help packets", tuple(TOPICS)),
        ("pakcets a.pcap", tuple(TOPICS)),
        ("", tuple(TOPICS)),
    ],
)
def test_a_command_line_names_the_topics_that_it_needs(line, expected):
    assert needed(line.split()) == expected


def test_the_command_says_which_version_it_is(capsys):
    with pytest.raises(SystemExit) as end:
        get_command(build(()))(["--version"])
    assert end.value.code == 0
    assert (
        capsys.readouterr().out == f"testbed {metadata.version('smarthome-testbed')}\n"
    )


def test_packets_loads_neither_lab_nor_tables_of_others(tmp_path):
    script = (
        "import sys\n"
        "from testbed.cli import main\n"
        "sys.argv = ['testbed', 'packets', *sys.argv[1:]]\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        f"print([m for m in sys.modules if m in {HEAVY!r}])\n"
    )
    capture = ROOT / "captures" / "example" / "raw" / "lan-00001.pcapng"
    words = [
        str(capture),
        "--device",
        "50:c7:bf:6b:e0:19",
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "114 packets" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_who_reads_no_packets_loads_no_kernels():
    script = (
        "import sys\n"
        "import testbed.cli.run, testbed.cli.schedule, testbed.cli.status\n"
        "print([m for m in sys.modules if m in ('numba', 'scipy', 'polars')])\n"
    )
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
