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


def make_name(
    setup: int = 1, camera: int = 1, performer: int = 1, action: int = 1
) -> str:
    return f"S{setup:03d}C{camera:03d}P{performer:03d}R001A{action:03d}"


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


def test_views_and_setups() -> None:
    names = [make_name(camera=i) for i in (3, 1, 2)]
    splits = make_splits(names, "ntu60")
    assert splits["xview_train"] == [names[2], names[0]]
    assert splits["xview_val"] == [names[1]]
    names = [make_name(setup=i) for i in range(1, 33)]
    splits = make_splits(names, "ntu120")
    assert splits["xset_train"] == names[1::2]
    assert splits["xset_val"] == names[::2]


def test_within_a_group_the_order_stays() -> None:
    names = [make_name(action=i) for i in (5, 1, 3)]
    assert make_splits(names, "ntu60")["xsub_train"] == names


def test_unknown_dataset() -> None:
    with pytest.raises(KeyError, match="ntu61"):
        make_splits([], "ntu61")


def test_which_dataset() -> None:
    assert find_dataset([make_name()]) == "ntu60"
    assert find_dataset([make_name(), make_name(action=61)]) == "ntu120"
    assert find_dataset([make_name(performer=41)]) == "ntu120"
    assert find_dataset([make_name(setup=18)]) == "ntu120"


def test_two_person_actions() -> None:
    found = [i for i in range(1, 121) if SampleName(1, 1, 1, 1, i).is_two_person]
    assert found == [*range(50, 61), *range(106, 121)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("S001C001P001R001A121", "unknown action 121"),
        ("S001C001P001R001A000", "unknown action 0"),
        ("S033C001P001R001A001", "unknown setup 33"),
        ("S001C004P001R001A001", "unknown camera 4"),
        ("S001C001P107R001A001", "unknown performer 107"),
        ("S001C001P001R003A001", "unknown replication 3"),
        ("S001C001P001R001A001_rgb", "not a name of the form"),
        ("s001c001p001r001a001", "not a name of the form"),
        ("", "not a name of the form"),
    ],
)
def test_bad_names(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SampleName.parse(name)
