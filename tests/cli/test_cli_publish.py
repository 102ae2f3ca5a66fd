"""`testbed publish`: what is asked for wrongly, the key, secrets, and a refusal."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis.errors import AnalysisError, DatasetError
from analysis.exporters.audit import Finding
from analysis.exporters.bundle import About, RefusedError
from testbed.cli import build
from testbed.cli import publish as module
from testbed.cli import publish_closing as closing
from testbed.cli.publish_key import key_of
from testbed.cli.publish_variables import of_variables
from testbed.cli.secrets_file import read_secrets
from testbed.errors import ConfigError
from testbed.runner.campaigns.folder import load_inputs

EXAMPLE = str(Path(__file__).parents[2] / "captures" / "example")
SECRETS = """# what nobody else tells
person Ada Byron
Place: +51.5007
secret correct horse battery staple
person\tAda King
tr0ub4dor&3

mac 44-65-0D-7B-20-13
"""


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Return the requests that are made, none of which is done."""
    requests = []

    def publish(asked, _told, key):
        key.keep()
        requests.append(asked)

    monkeypatch.setattr(module, "_publish", publish)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return requests


def call(*words):
    done = CliRunner().invoke(build(["publish"]), ["publish", *map(str, words)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_a_key_is_made_once_and_for_its_owner_alone(asked, tmp_path):
    first = call(EXAMPLE, tmp_path / "set", "--no-results")
    path = tmp_path / "config" / "testbed" / "publish.key"
    assert f"a key was made: {path}" in first.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    second = call(EXAMPLE, tmp_path / "set", "--no-results")
    assert "a key was made" not in second.stderr
    assert asked[0].key == asked[1].key == path.read_bytes()
    assert asked[0].key.hex() not in repr(asked[0])


def test_a_key_of_another_length_is_refused(asked, tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match="must hold 32 random bytes, holds 5"):
        call(EXAMPLE, tmp_path / "set", "--key", path)


def test_what_the_audit_refused_is_accepted_by_name(asked, tmp_path):
    names = ["plain:tcp/6668", "unread:tshark", "plain:tcp/6668"]
    words = [word for name in names for word in ("--accept", name)]
    call(EXAMPLE, tmp_path / "set", "--no-results", *words)
    assert asked[0].accept == ("plain:tcp/6668", "unread:tshark")
    with pytest.raises(ConfigError, match="--accept: mac: must begin with one of"):
        call(EXAMPLE, tmp_path / "set", "--accept", "mac")


def test_secrets_are_of_a_kind_or_secrets(asked, tmp_path):
    path = tmp_path / "secrets"
    path.write_text(SECRETS)
    call(EXAMPLE, tmp_path / "set", "--no-results", "--secrets", path)
    told = [(e.kind, e.value) for e in asked[0].extra if e.source == "secrets"]
    assert told == [
        ("person", "Ada Byron"),
        ("place", "+51.5007"),
        ("secret", "correct horse battery staple"),
        ("person", "Ada King"),
        ("secret", "tr0ub4dor&3"),
        ("mac", "44:65:0d:7b:20:13"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("mac 44-65-nonsense", "mac: what stands behind it is none"),
        ("person", "must be KIND VALUE: person"),
        ("phone +46701234567", "is several words and begins with no kind"),
        ("correct horse battery", "is several words and begins with no kind"),
        ("place +46.70 # my summer house", "a remark stands in a line of its own"),
        ("person Al", "person: is too short to be found"),
    ],
)
def test_a_secret_that_may_be_read_wrongly_is_refused_and_not_shown(
    asked, tmp_path, line, reason
):
    path = tmp_path / "secrets"
    path.write_text(f"person Ada Byron\n{line}\nphone +1\n")
    with pytest.raises(ConfigError) as raised:
        call(EXAMPLE, tmp_path / "set", "--secrets", path)
    first, second, kinds = str(raised.value).splitlines()  # all faults at once
    assert first.startswith(f"--secrets: {path}: line 2: {reason}")
    assert "line 3: is several words" in second
    assert kinds.startswith("--secrets: kinds are mac, ipv4, ")
    assert line.partition(" ")[2].partition("#")[0] not in first or " " not in line
    assert asked == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["set"], "OUT is missing"),
        ([EXAMPLE, "."], "has no name of its own"),
        ([EXAMPLE, EXAMPLE], "is a campaign; the last folder is the one to make"),
        ([EXAMPLE, f"{EXAMPLE}/set"], "lies in"),
        ([EXAMPLE, Path(EXAMPLE).parent], "is already there; name another folder"),
        ([EXAMPLE, "set", "--payload", "half"], "must be keep, headers or truncate:N"),
        ([EXAMPLE, "set", "--names", "all"], "must be keep-public or pseudonym"),
        ([EXAMPLE, "set", "--licence", "CC-BY"], "did you mean 'CC-BY-4.0'"),
        ([EXAMPLE, "set", "--part-size", "1"], "must be at least 2"),
        ([EXAMPLE, "set", "--classifier", "forest"], "is not a classifier"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_done(asked, words, sentence):
    with pytest.raises((ConfigError, AnalysisError), match=sentence) as told:
        call(*words)
    assert told.value.exit_code == 2
    assert asked == []


def test_all_that_is_wrong_is_told_at_once_and_no_key_is_made(asked, tmp_path):
    words = ["--payload", "half", "--licence", "CC-BY", "--author", "a@b.se"]
    words += ["--accept", "mac", "--secrets", tmp_path / "none", "--part-size", "1"]
    with pytest.raises(ConfigError) as told:
        call(tmp_path / "nowhere", EXAMPLE, EXAMPLE, *words)
    lines = str(told.value).splitlines()
    wanted = [
        "is a campaign; the last",
        "--secrets: ",
        "--author: a@b.se",
        "did you mean 'CC-BY-4.0'",
    ]
    wanted += ["payload must be", "--accept: mac", "--part-size"]
    assert all(any(each in line for line in lines) for each in wanted), lines
    assert len(lines) == len(wanted)
    assert not (tmp_path / "config").exists()


def test_no_key_is_made_for_a_campaign_that_is_not_published(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    campaign = Path(shutil.copytree(EXAMPLE, tmp_path / "campaign"))
    (campaign / "activities.csv").write_text("changed")
    with pytest.raises(DatasetError, match="differs from MANIFEST"):
        call(campaign, tmp_path / "set", "--no-results")
    assert not (tmp_path / "config").exists()
    assert not (tmp_path / "set.draft").exists()


def test_a_key_that_another_call_made_meanwhile_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    one, two = key_of(None), key_of(None)
    assert one.value != two.value
    one.keep()
    with pytest.raises(ConfigError, match="another call made a key meanwhile"):
        two.keep()
    assert key_of(None).value == one.value
    assert [path.name for path in (tmp_path / "testbed").iterdir()] == ["publish.key"]


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("file/set", "cannot be made: .*/file is no folder; name another one"),
        ("closed/a/set", "you may not write in .*/closed; name another folder"),
    ],
)
def test_an_out_that_cannot_be_made_is_told_before_the_work(
    asked, monkeypatch, tmp_path, place, sentence
):
    (tmp_path / "file").write_text("")
    (tmp_path / "closed").mkdir()
    monkeypatch.setattr("os.access", lambda path, _how: path != tmp_path / "closed")
    with pytest.raises(ConfigError, match=sentence):
        call(EXAMPLE, tmp_path / place)
    assert asked == []


def test_a_citation_that_names_nobody_is_told_at_the_end():
    (line,) = closing._unsigned(About())
    assert "names nobody (--author) and has a title that was made up (--title)" in line
    (line,) = closing._unsigned(About(title="A kitchen"))
    assert "CITATION.cff names nobody (--author); publish anew" in line
    assert closing._unsigned(About(title="A kitchen", authors=("Ada Byron",))) == ()


LAB = {"router": {"user": "${ADMIN_USER}", "key_env": "MY_KEY", "folder": "/tmp"}}


def test_a_variable_that_is_not_set_is_refused_unless_it_held_no_secret(monkeypatch):
    monkeypatch.delenv("ADMIN_USER", raising=False)
    monkeypatch.setenv("MY_KEY", "/home/ada/.ssh/key")
    with pytest.raises(ConfigError) as raised:
        of_variables([LAB], ["NOBODY"])
    first, second = str(raised.value).splitlines()
    assert first.startswith("lab.router.user: ${ADMIN_USER} is not set here")
    assert first.endswith("or say --no-secret ADMIN_USER")
    assert second == "--no-secret NOBODY: no campaign refers to it"
    found, told = of_variables([LAB], ["ADMIN_USER"])
    assert [each.value for each in found] == ["/home/ada/.ssh/key"]
    assert told == [f"{first.partition(',')[0]}; you say that it held no secret"]
    monkeypatch.setenv("ADMIN_USER", "ada_byron")
    found, told = of_variables([LAB], [])
    assert [each.value for each in found] == ["ada_byron", "/home/ada/.ssh/key"]
    assert told == []
    monkeypatch.setenv("ADMIN_USER", "ada")
    (line,) = of_variables([LAB], [])[1]
    assert line.startswith("${ADMIN_USER}: its 3 characters are too few")
    monkeypatch.setenv("ADMIN_USER", "root")  # is everybody's
    assert of_variables([LAB], [])[1] == []


def test_what_a_virtual_lab_sets_for_itself_is_told_and_no_more(monkeypatch):
    monkeypatch.delenv("TESTBED_LAB_STATE", raising=False)
    monkeypatch.delenv("USER", raising=False)  # the system knows it anyway
    lab = {"virtual": {}, "phone": [{"a": "${TESTBED_LAB_STATE}/x ${USER}"}]}
    _, told = of_variables([lab, lab], [])
    own = [each for each in told if "STATE" in each]
    nothing = "the virtual lab's own, so nothing is to be done"
    assert own == [f"not set here, as usual: TESTBED_LAB_STATE: {nothing}"]
    with pytest.raises(ConfigError, match="TESTBED_LAB_STATE"):
        of_variables([{"phone": lab["phone"]}], [])


def test_free_texts_are_told_in_a_line_that_can_be_read():
    assert module._listed(["a\nb", "x" * 99]) == f"a b, {'x' * 60}..."
    told = module._listed([str(number) for number in range(20)])
    assert told.endswith("11, and 8 more")


def test_what_people_called_things_is_told_and_words_of_profiles_are_counted():
    kept = {"activity": ["play", "stop"], "home": ["cabin"], "vendor": ["Amazon"]}
    assert module.kept_lines(kept) == (
        "kept as told: home: cabin",
        "kept as told: 3 texts of profiles and scenarios (activity, vendor); "
        "all in datasheet.md",
    )
    assert module.kept_lines({"home": ["cabin"]}) == ("kept as told: home: cabin",)


def test_findings_are_told_one_by_one_and_no_secret_whole(capsys):
    finding = Finding(
        file="campaigns/a/raw/lan-00001.pcapng",
        place="packet 7",
        kind="mac",
        encoding="utf-16le",
        shown="44…13 (17 characters)",
        reader="bytes",
        n=3,
        number=0,
    )
    error = RefusedError((finding,) * 60, Path("set.draft"), ("same:zzz",))
    module._tell_refusal(error)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == (
        "testbed: campaigns/a/raw/lan-00001.pcapng: packet 7: mac 44…13 (17 "
        "characters), as utf-16le, 3 times"
    )
    assert told[-2] == "testbed: and 10 more"
    assert told[-1].startswith("testbed: --accept same:zzz: was not needed: nothing")
    assert error.exit_code == 1
    assert "60 findings of identifiers that are still there; the draft is" in str(error)


def test_a_folder_of_campaigns_says_which_it_holds(tmp_path):
    (tmp_path / "own" / "act").mkdir(parents=True)
    (tmp_path / "own" / "act" / "campaign.yaml").write_text("campaign: act\n")
    with pytest.raises(ConfigError, match=r"it holds campaigns, such as .*own/act$"):
        load_inputs(tmp_path / "own")


def test_a_secret_that_nothing_recorded_says_is_told_by_its_line(tmp_path):
    path = tmp_path / "secrets"
    path.write_text(SECRETS)
    told = read_secrets(path)
    (line,) = told.unmet_lines(told.every[-1:])
    assert line.startswith(f"testbed: --secrets: {path}: line 8: mac: nothing that")
    assert "44" not in line.removeprefix(f"testbed: --secrets: {path}")
