"""Two files of one kind: which differences are told, and where."""

import json

import polars as pl
import pytest

from analysis.reproduce.cells import csv_differences, json_differences
from analysis.reproduce.columns import parquet_differences
from analysis.reproduce.compare import (
    Comparison,
    compare_files,
    kind_of,
    pass_over_others,
)
from analysis.reproduce.numbers import Rule
from analysis.reproduce.pages import page_differences

EXACT = Rule()
NEAR = Rule(exact=False, rel=1e-6)
HEAD = "device,f1,n"
ROWS = ["bulb,0.5,3", "plug,0.25,4", "tv,0.75,5"]
PAGE = "<p>Mean {mean}</p><table><tr><th>f1<td>{f1}</table><img alt='a' src='{src}'>"


@pytest.fixture
def pair(tmp_path):
    """Return a function that writes two files and returns their paths."""

    def _pair(suffix, *texts):
        paths = [tmp_path / f"{side}{suffix}" for side in ("published", "remade")]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
        return paths

    return _pair


def table(*rows):
    return "\n".join((HEAD, *rows)) + "\n"


def test_a_cell_is_told_by_row_and_column_with_both_values(pair):
    files = pair(".csv", table(*ROWS), table(ROWS[0], "plug,0.3,4", ROWS[2]))
    assert list(csv_differences(*files, EXACT)) == [
        ("row 2, column f1", "published 0.25, made anew 0.3", "0.25", "0.3")
    ]


def test_a_row_that_was_removed_is_one_difference(pair):
    files = pair(".csv", table(ROWS[0], ROWS[2]), table(*ROWS))
    found = list(csv_differences(*files, EXACT))
    assert [(place, made) for place, _, _, made in found] == [("row 2", ROWS[1])]


def test_a_row_that_was_put_in_is_one_difference(pair):
    files = pair(".csv", table(*ROWS, "lamp,1.0,1"), table(*ROWS))
    found = list(csv_differences(*files, EXACT))
    assert [(p, w) for p, w, _, _ in found] == [
        ("row 4", "is not made anew: lamp,1.0,1")
    ]


def test_a_column_that_is_missing_is_told(pair):
    files = pair(".csv", "device,n\nbulb,3\n", table(ROWS[0]))
    found = list(csv_differences(*files, EXACT))
    assert found == [("column f1", "is missing, but made anew", "", "f1")]


def test_a_column_that_is_there_twice_is_told(pair):
    twice = "\n".join(f"{row},{row[-1]}" for row in (HEAD, *ROWS)) + "\n"
    (found,) = csv_differences(*pair(".csv", twice, table(*ROWS)), EXACT)
    assert found[0] == "columns"


def test_rows_of_json_are_told_like_those_of_a_csv(pair):
    rows = [{"device": "bulb", "f1": 0.5}, {"device": "plug", "f1": 0.25}]
    other = [rows[0], {"device": "plug", "f1": None}]
    files = pair(".json", json.dumps(rows), json.dumps(other))
    (told,) = json_differences(*files, EXACT)
    assert told == (
        "row 2, column f1",
        "published 0.25, made anew null",
        "0.25",
        "null",
    )


def test_a_number_is_no_text_and_a_whole_one_is_no_truth(pair):
    files = pair(".json", '{"a": 1, "b": {"c": 2}}', '{"a": true, "b": {"c": "2"}}')
    places = [place for place, *_ in json_differences(*files, NEAR)]
    assert places == ["a", "b, c"]


@pytest.mark.parametrize(
    ("one", "two", "exact", "near"),
    [
        ("0.3", "0.30000000000000004", False, True),
        ("0.3", "0.31", False, False),
        ("nan", "nan", True, True),
        ("12", "13", False, False),
        ("1000000000", "1000000001", False, False),
        ("bulb", "plug", False, False),
    ],
)
def test_numbers_may_differ_a_little_where_versions_do(one, two, exact, near):
    assert EXACT.same_text(one, two) is exact
    assert NEAR.same_text(one, two) is near


def test_a_rounded_number_of_a_page_may_be_one_off_where_versions_differ():
    assert NEAR.same_words("0.95 of 4", "0.96 of 4")
    assert not NEAR.same_words("0.95 of 4", "0.97 of 4")
    assert not NEAR.same_words("0.95 of 4", "0.95 of 5")
    assert not EXACT.same_words("0.95 of 4", "0.96 of 4")


def test_parquet_is_compared_by_what_it_holds(tmp_path):
    frame = pl.DataFrame({"name": ["a", "b", "c"], "size": [1.0, 2.0, float("nan")]})
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    frame.write_parquet(one, compression="zstd")
    frame.write_parquet(two, compression="snappy", row_group_size=1)
    assert list(parquet_differences(one, two, EXACT)) == []
    frame.with_columns(size=pl.Series([1.0, 2.5, float("nan")])).write_parquet(two)
    (told,) = parquet_differences(one, two, EXACT)
    assert told[0] == "row 2, column size"
    assert told[2:] == ("2.0", "2.5")


def test_a_row_less_in_parquet_is_told_as_that_row(tmp_path):
    frame = pl.DataFrame({"name": ["a", "b", "c"], "size": [1, 2, 3]})
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    frame.filter(pl.col("name") != "b").write_parquet(one)
    frame.write_parquet(two)
    found = [(place, what) for place, what, *_ in parquet_differences(one, two, EXACT)]
    assert found[0] == ("", "has 2 rows, made anew 3")
    assert [place for place, _ in found[1:]] == ["row 2"]


def test_another_type_of_a_column_is_told(tmp_path):
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    pl.DataFrame({"size": [1]}).write_parquet(one)
    pl.DataFrame({"size": [1.0]}).write_parquet(two)
    (told,) = parquet_differences(one, two, EXACT)
    assert told[0] == "type of column size"


def test_a_page_is_compared_by_its_tables_words_and_pictures(pair):
    page = PAGE.format(mean="0.9", f1="0.8", src="data:1")
    other = PAGE.format(mean="0.7", f1="0.5", src="data:2")
    spaced = page.replace("<p>", "<p class='lead'>\n ")
    assert list(page_differences(*pair(".html", page, spaced), EXACT)) == []
    places = [
        place for place, *_ in page_differences(*pair(".html", page, other), EXACT)
    ]
    assert places == ["table 1, row 1, column 2", "text 1", "picture 1"]
    places = [
        place for place, *_ in page_differences(*pair(".html", page, other), NEAR)
    ]
    assert places == ["table 1, row 1, column 2"]


def test_pictures_differ_by_bytes_unless_versions_do(tmp_path):
    for side, stroke in (("data", "blue"), ("made", "red")):
        folder = tmp_path / side / "results" / "c" / "pictures"
        folder.mkdir(parents=True)
        (folder / "f.svg").write_text(f"<svg>\n<path stroke='{stroke}'/>\n</svg>\n")
    found = {}
    for rule in (EXACT, NEAR):
        found[rule] = Comparison()
        compare_files(
            found[rule], tmp_path / "data", tmp_path / "made", ("results",), rule
        )
    (told,) = found[EXACT].differences
    assert (told.place, told.published) == ("line 2", "<path stroke='blue'/>")
    assert found[NEAR].differences == []
    (passed,) = found[NEAR].not_compared
    assert passed.file == "results/c/pictures/f.svg"
    assert "drawn by other versions" in passed.why
    (counts,) = found[NEAR].counts()
    assert (counts.equal, counts.not_compared) == (0, 1)


def hosts(side, tmp_path, rows):
    """Write the table of hosts of one side, both ways."""
    heads = ("address", "written", "name")
    folder = tmp_path / side / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame(rows, schema=heads, orient="row")
    frame.write_csv(folder / "hosts.csv")
    frame.write_parquet(folder / "hosts.parquet")


@pytest.mark.parametrize(
    ("published", "state"),
    [
        ([("10.0.0.1", "", "a"), ("10.0.0.2", "", "b")], "equal"),
        ([("10.0.0.1", "93.1.7.2", "a"), ("10.0.0.2", "", "b")], "not_compared"),
        ([("10.0.0.1", "93.1.7.2", "x"), ("10.0.0.2", "", "b")], "differs"),
        ([("10.0.0.2", "93.1.7.2", "b")], "differs"),
    ],
)
def test_what_follows_from_the_key_alone_is_not_counted_as_equal(
    tmp_path, published, state
):
    hosts("data", tmp_path, published)
    hosts("made", tmp_path, [("10.0.0.1", "", "a"), ("10.0.0.2", "", "b")])
    found = Comparison()
    compare_files(found, tmp_path / "data", tmp_path / "made", ("tables",), EXACT)
    (counts,) = found.counts()
    assert getattr(counts, state) == 2
    whys = {each.why for each in found.not_compared}
    assert all("`written` follows from the key" in why for why in whys)
    assert bool(whys) == (state == "not_compared")
    assert not any("written" in each.place for each in found.differences)


def test_a_page_whose_words_are_not_compared_is_not_counted_as_equal(tmp_path):
    for side, mean in (("data", "0.9"), ("made", "0.7")):
        folder = tmp_path / side / "results"
        folder.mkdir(parents=True)
        page = PAGE.format(mean=mean, f1="0.8", src="data:1")
        (folder / "index.html").write_text(page)
    found = Comparison()
    compare_files(found, tmp_path / "data", tmp_path / "made", ("results",), NEAR)
    (counts,) = found.counts()
    assert (counts.equal, counts.not_compared) == (0, 1)
    assert "words outside of tables" in found.not_compared[0].why


def test_every_file_of_a_payload_is_counted_once(tmp_path):
    data = tmp_path / "data"
    for name in ("README.md", "results/recipe.json", "results/a.csv", "raw/lan"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("a\n")
    found, places = Comparison(), ("results", "splits.json")
    compare_files(found, data, tmp_path / "made", places, EXACT)
    pass_over_others(found, data, places, {"raw/lan", "results/recipe.json"})
    assert found.n_files == 4
    counted = {each.kind: each for each in found.counts()}
    assert counted["results: tables"].different == 1
    assert counted["inputs"].not_compared == 2
    assert counted["papers and metadata"].not_compared == 1


def test_what_cannot_be_understood_is_a_difference(tmp_path):
    for side, text in (("data", "[1"), ("made", "[1]")):
        (tmp_path / side / "results").mkdir(parents=True)
        (tmp_path / side / "results" / "a.json").write_text(text)
    found = Comparison()
    compare_files(found, tmp_path / "data", tmp_path / "made", ("results",), NEAR)
    (told,) = found.differences
    assert "cannot be understood" in told.what


def test_a_table_that_is_damaged_is_a_difference(tmp_path):
    for side in ("data", "made"):
        folder = tmp_path / side / "results"
        folder.mkdir(parents=True)
        frame = pl.DataFrame({"size": list(range(1000))})
        frame.write_parquet(folder / "features.parquet", compression="zstd")
    path = tmp_path / "data/results/features.parquet"
    data = bytearray(path.read_bytes())
    data[4:8] = b"\xff\xff\xff\xff"  # the head of the first page
    path.write_bytes(data)
    found = Comparison()
    compare_files(found, tmp_path / "data", tmp_path / "made", ("results",), EXACT)
    (told,) = found.differences
    assert told.what.startswith("cannot be ")


def test_files_that_only_one_side_has_are_missing_or_extra(tmp_path):
    for side, name in (("data", "extra.csv"), ("made", "missing.csv")):
        (tmp_path / side / "tables").mkdir(parents=True)
        (tmp_path / side / "tables" / name).write_text("a\n1\n")
    found = Comparison()
    compare_files(found, tmp_path / "data", tmp_path / "made", ("tables",), EXACT)
    (counts,) = found.counts()
    assert (counts.kind, counts.missing, counts.extra) == ("tables", 1, 1)
    assert [str(each) for each in found.differences] == [
        "tables/extra.csv: is not made anew",
        "tables/missing.csv: is missing, but made anew",
    ]


def test_every_file_has_a_kind():
    assert kind_of("campaigns/a/labelled/tv.pcapng") == "labelled captures"
    assert kind_of("campaigns/a/packets.json") == "packet tables"
    assert kind_of("campaigns/a/flows/device=tv/lan.parquet") == "flow tables"
    assert kind_of("results/a/features.parquet") == "features"
    assert kind_of("results/a/data/c/accuracy.csv") == "results: tables"
    assert kind_of("results/a/notes.txt") == "results: other files"


def test_bytes_that_were_compared_are_told(tmp_path):
    for side in ("data", "made"):
        (tmp_path / side / "tables").mkdir(parents=True)
        for name in ("a.csv", "b.csv"):
            (tmp_path / side / "tables" / name).write_text(f"{name}\n")
    told = []
    found = Comparison(progress=told.append)
    compare_files(found, tmp_path / "data", tmp_path / "made", ("tables",), EXACT)
    assert told == [6, 6]
