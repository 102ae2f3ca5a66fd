import pytest
import typer
from typer.testing import CliRunner

from testbed.cli import data, imports
from testbed.errors import ConfigError


@pytest.fixture
def call():
    app = typer.Typer(pretty_exceptions_enable=False)
    data.register(app)
    imports.register(app)

    def _call(*arguments):
        texts = [str(argument) for argument in arguments]
        return CliRunner().invoke(app, texts, catch_exceptions=False)

    return _call


@pytest.fixture
def folder(campaign, craft):
    packets = [(t, craft.udp4(b"x")) for t in range(20)]
    return campaign([packets], [(3, {}), (6, {})])


def test_label_asks_what_to_do_about_an_overlap(call, folder):
    from analysis.errors import LabelError

    with pytest.raises(LabelError, match="overlap by 2 s"):
        call("label", folder)
    done = call("label", folder, "--overlap", "cut")
    assert "lamp: 2 windows, 8 of 20 packets labelled, 1 window cut" in done.output
    with pytest.raises(ConfigError, match="must be refuse, cut or drop, got 'guess'"):
        call("label", folder, "--overlap", "guess")


def test_import_pcap_makes_a_campaign(call, tmp_path, craft, write):
    capture = write([(t, craft.udp4(b"x")) for t in range(20)])
    table = tmp_path / "theirs.csv"
    table.write_text("command,start,who\nturn_on,2023-11-14T23:13:25,me\n")
    done = call(
        *("import", "pcap", capture, "--activities", table),
        *("--device", f"lamp={craft.lamp}", "--timezone", "Europe/Berlin"),
        *("--column", "activity=command", "--constant", "device=lamp"),
        *("--delta", "4 s", "--out", tmp_path / "captures", "--campaign", "mine"),
    )
    assert done.exit_code == 0
    assert "lamp: 1 window, 4 of 20 packets labelled" in done.output
    assert "columns not taken: who" in done.output
    assert (tmp_path / "captures/mine/MANIFEST.sha256").exists()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--device", "lamp", "--device: 'lamp' is no MAC, no NAME=MAC and no profile"),
        ("--timezone", "Mars", "no time zone is called 'Mars'"),
        ("--delta", "soon", "must be a duration"),
    ],
)
def test_a_wrong_option_is_one_sentence(call, tmp_path, option, value, message):
    needed = [] if option == "--device" else ["--device", "a=b"]
    with pytest.raises(ConfigError, match=message):
        call(
            *(
                "import",
                "pcap",
                tmp_path / "a.pcap",
                "--activities",
                tmp_path / "a.csv",
            ),
            *(*needed, option, value),
        )
