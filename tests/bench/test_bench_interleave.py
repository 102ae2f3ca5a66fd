import csv

from tests.bench.interleave import overlaps

S = 10**9


def written(tmp_path, rows):
    path = tmp_path / "activities.csv"
    names = ("device", "trial", "t_ns", "t_uncertainty_ns", "delta_ns", "outcome")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)
    return path


def test_windows_of_one_device_that_overlap_are_found(tmp_path):
    rows = [
        ("lamp", "1", 10 * S, 0, 40 * S, "confirmed"),
        ("lamp", "2", 20 * S, 0, S, "unchecked"),
        ("lamp", "3", 49 * S, 0, S, "confirmed"),
        ("lamp", "4", 50 * S, 0, S, "confirmed"),
    ]
    path = written(tmp_path, rows)
    assert overlaps(path) == [("lamp", "1", "2"), ("lamp", "1", "3")]


def test_windows_of_two_devices_and_what_makes_no_label_may_overlap(tmp_path):
    rows = [
        ("lamp", "1", 10 * S, 0, 8 * S, "confirmed"),
        ("plug", "2", 11 * S, 0, 8 * S, "confirmed"),
        ("lamp", "3", 12 * S, 0, 8 * S, "no_effect"),
        ("lamp", "4", "", "", 8 * S, "aborted"),
    ]
    assert overlaps(written(tmp_path, rows)) == []


def test_what_is_unsure_counts_as_part_of_a_window(tmp_path):
    rows = [
        ("lamp", "1", 10 * S, S // 10, 8 * S, "confirmed"),
        ("lamp", "2", 18 * S + 1, S // 10, 8 * S, "confirmed"),
    ]
    assert overlaps(written(tmp_path, rows)) == [("lamp", "1", "2")]
