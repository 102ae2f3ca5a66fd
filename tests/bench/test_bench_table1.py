import pytest

from tests.bench.table1 import Part, digest, joined


def part(code="a1", trees="100 trees", **values):
    blank = {"digest": code, "settings": {"random_forest": trees}, "took_s": 1.0}
    return blank | {"results": [], "devices": [{"device": "lamp"}]} | values


def test_parts_of_one_code_are_put_together_and_say_what_a_device_is_once():
    found = joined([part(results=[{"split": "s1"}]), part(results=[{"split": "s2"}])])
    assert [each["split"] for each in found["results"]] == ["s1", "s2"]
    assert found["devices"] == [{"device": "lamp"}]
    assert (found["digest"], found["took_s"]) == ("a1", 2.0)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (part(code="b2"), "different code"),
        (part(trees="200 trees"), "random_forest: parts were made with different"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(other, said):
    with pytest.raises(SystemExit, match=said):
        joined([part(), other])


def test_parts_have_other_names_by_seed_and_window(tmp_path):
    told = {"device": "lamp", "batch": "own", "split": "s2"}
    stems = {
        Part(**told, window=window, seed=seed).stem
        for window in ("own", "longest")
        for seed in (0, 1)
    }
    assert len(stems) == 4
    (tmp_path / "MANIFEST.sha256").write_text("one")
    one = digest(tmp_path, 0)
    assert digest(tmp_path, 0) == one != digest(tmp_path, 1)
    (tmp_path / "MANIFEST.sha256").write_text("two")
    assert digest(tmp_path, 0) != one
