import pytest

from analysis import dataset
from analysis.dataset import load_activities, load_campaign
from analysis.errors import DatasetError


@pytest.fixture
def folder(campaign, craft):
    return campaign(
        [[(0, craft.arp())]],
        [(1, {"parameters": "colour=red"}), (None, {"outcome": "failed"})],
    )


def test_a_campaign_and_its_log_are_typed(folder):
    campaign, log = load_campaign(folder), load_activities(folder)
    assert (campaign.name, campaign.simulated, campaign.form) == (
        "evening",
        True,
        "fast",
    )
    assert campaign.device("lamp").mac == "02:00:00:00:00:11"
    assert len(log) == 2
    assert log.frame["t_ns"].to_list() == [1_700_000_001_000_000_000, None]
    assert log.frame["line"].to_list() == [2, 3]
    assert log.frame["simulated"].to_list() == [True, True]
    assert len(log.labelled()) == 1


def test_a_plain_log_is_read_the_fast_way_with_the_same_result(folder, monkeypatch):
    fast = dataset._plain_rows(folder / "activities.csv")
    monkeypatch.setattr(dataset, "_plain_rows", lambda _path: None)
    slow = load_activities(folder).frame
    assert fast.schema == slow.schema
    assert fast.equals(slow)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("colour=red", '"colour=red"'),  # quotes could hide the end of a line
        ("\r\n", "\r"),
        ("\r\n", "\r\n\r\n"),
        ("colour=red", "colour=red,more"),
        ("confirmed,true", "confirmed"),
        (",5000000000,confirmed", ",,confirmed"),
        ("confirmed,true", "perhaps,true"),
        ("confirmed,true", "confirmed,yes"),
        (",5000000000,", ", 5000000000,"),
    ],
)
def test_what_is_not_plain_is_left_to_the_slow_way(folder, old, new):
    path = folder / "activities.csv"
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())
    assert dataset._plain_rows(path) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            ",5000000000,confirmed",
            ",soon,confirmed",
            "line 2: delta_ns: must be a",
        ),
        (",5000000000,confirmed", ",,confirmed", "line 2: delta_ns: is empty, but the"),
        (",5000000000,", ",99999999999999999999,", "line 2: delta_ns: must fit into"),
        ("confirmed,true", "perhaps,true", "line 2: outcome: must be one of confirmed"),
        ("confirmed,true", "confirmed,yes", "line 2: simulated: must be true or false"),
        ("confirmed,true", "confirmed", "line 2: ends before column 'simulated'"),
        ("t_ns,t_issue", "t,t_issue", "line 1: has no column 't_ns'"),
    ],
)
def test_a_fault_in_the_log_is_one_sentence_with_its_line(folder, old, new, message):
    path = folder / "activities.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DatasetError) as caught:
        load_activities(folder)
    assert f"{path}: {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("- 1", "must be a mapping"),
        ("campaign: x\ndevices: []\nform: live", "simulated: must be true or false"),
        ("devices: 3", "devices: must be a list, got 3"),
        ("devices: [lamp]", r"devices\[0\]: must be a mapping"),
        ("devices: [{device: a/b}]", r"devices\[0\].device: must be a name"),
        ("devices: [{device: a, mac: 10:20}]", r"devices\[0\].mac: must be a MAC"),
    ],
)
def test_a_fault_in_the_campaign_is_one_sentence(folder, text, message):
    (folder / "campaign.yaml").write_text(text)
    with pytest.raises(DatasetError, match=message):
        load_campaign(folder)


def test_a_folder_that_is_no_campaign_says_so(tmp_path):
    with pytest.raises(DatasetError, match="is this a campaign folder"):
        load_campaign(tmp_path)
    with pytest.raises(
        DatasetError, match=r"activities\.csv: is not there: it is written"
    ):
        load_activities(tmp_path)


@pytest.mark.parametrize(
    ("names", "path", "sentence"),
    [
        (("data/campaigns/a/",), "", "is a dataset; did you mean {}/data/campaigns/a?"),
        (
            ("data/campaigns/a/", "data/campaigns/b/"),
            "",
            "is a dataset; name a campaign of it, such as {}/data/campaigns/a: it has "
            "a, b",
        ),
        (("campaigns/a/",), "", "is a dataset; did you mean {}/campaigns/a?"),
        (("a/",), "", "is a folder of campaigns; did you mean {}/a?"),
        ((), "gone", "there is no such folder; name the folder of a campaign"),
        (
            ("set-01.zip",),
            "set-01.zip",
            "is an archive; unpack it, and name a campaign of what comes out",
        ),
        (("file",), "file", "is a file; name the folder of a campaign"),
        (
            ("parts.sha256",),
            "",
            "holds the parts of an archive; unpack them, as its "
            "README.txt says, and name a campaign of that",
        ),
    ],
)
@pytest.mark.parametrize("load", [load_campaign, load_activities])
def test_what_is_no_campaign_is_told_with_what_to_name(
    tmp_path, names, path, sentence, load
):
    for name in names:
        made = tmp_path / (f"{name}campaign.yaml" if name.endswith("/") else name)
        made.parent.mkdir(parents=True, exist_ok=True)
        made.touch()
    with pytest.raises(DatasetError) as told:
        load(tmp_path / path)
    folder = tmp_path / path
    assert str(told.value) == f"{folder}: {sentence.format(folder)}"


def test_an_unknown_device_names_the_known_ones(folder):
    with pytest.raises(DatasetError, match="has no device 'lmap'; it has lamp"):
        load_campaign(folder).device("lmap")
