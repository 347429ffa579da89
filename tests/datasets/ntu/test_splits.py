"""Names and splits, against the lists of the data sets' papers."""

from __future__ import annotations

import pytest

from gap_mmaction.datasets.ntu import SampleName, make_splits
from gap_mmaction.datasets.ntu.splits import find_dataset

TRAIN_60 = "1 2 4 5 8 9 13 14 15 16 17 18 19 25 27 28 31 34 35 38"
TRAIN_120 = (
    "1 2 4 5 8 9 13 14 15 16 17 18 19 25 27 28 31 34 35 38 45 46 47 49 50 52 53 54 55 "
    "56 57 58 59 70 74 78 80 81 82 83 84 85 86 89 91 92 93 94 95 97 98 100 103"
)


def make_name(**parts: int) -> str:
    parts = dict(setup=1, camera=1, performer=1, action=1) | parts
    return "S{setup:03d}C{camera:03d}P{performer:03d}R001A{action:03d}".format(**parts)


@pytest.mark.parametrize(
    ("dataset", "train", "limit"), [("ntu60", TRAIN_60, 40), ("ntu120", TRAIN_120, 106)]
)
def test_subjects(dataset: str, train: str, limit: int) -> None:
    names = [make_name(performer=i) for i in range(limit, 0, -1)]
    splits = make_splits(names, dataset)
    found = [SampleName.parse(name).performer for name in splits["xsub_train"]]
    assert found == [int(number) for number in train.split()]
    found += [SampleName.parse(name).performer for name in splits["xsub_val"]]
    assert sorted(found) == list(range(1, limit + 1))


def test_views_setups_and_order() -> None:
    names = [make_name(camera=i) for i in (3, 1, 2)]
    splits = make_splits(names, "ntu60")
    assert splits["xview_train"] == [names[2], names[0]]
    assert splits["xview_val"] == [names[1]]
    names = [make_name(setup=i) for i in range(1, 33)]
    splits = make_splits(names, "ntu120")
    assert (splits["xset_train"], splits["xset_val"]) == (names[1::2], names[::2])
    names = [make_name(action=i) for i in (5, 1, 3)]
    assert make_splits(names, "ntu60")["xsub_train"] == names


def test_which_dataset() -> None:
    assert find_dataset([make_name()]) == "ntu60"
    for more in (dict(action=61), dict(performer=41), dict(setup=18)):
        assert find_dataset([make_name(), make_name(**more)]) == "ntu120"


def test_two_person_actions() -> None:
    found = [i for i in range(1, 121) if SampleName(1, 1, 1, 1, i).is_two_person]
    assert found == [*range(50, 61), *range(106, 121)]


def test_bad_names() -> None:
    for name, found in (
        ("S001C001P001R001A121", "action 121"),
        ("S001C001P001R001A000", "action 0"),
        ("S001C001P001R003A001", "replication 3"),
        ("S001C001P001R001A001_rgb", "form"),
        ("", "form"),
    ):
        with pytest.raises(ValueError, match=f"{name}: .*{found}"):
            SampleName.parse(name)
