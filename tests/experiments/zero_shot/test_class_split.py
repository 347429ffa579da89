"""Which classes are unseen, and data without them."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest

from gap_mmaction.experiments.zero_shot import ClassSplit, draw_splits
from gap_mmaction.experiments.zero_shot.seen_data import write_seen_data
from gap_mmaction.models.text.descriptions import load_descriptions
from gap_mmaction.utils.restricted_pickle import load_annotations
from tests.config_files import ROOT
from tests.experiments.fake_project import write_annotations
from tests.models.text_common import write_descriptions

NWUCLA = ROOT / "data" / "descriptions" / "nwucla.yaml"


class TestSplit:
    def test_classes(self) -> None:
        split = ClassSplit(6, (4, 1))
        assert split.unseen == (1, 4)
        assert split.seen == (0, 2, 3, 5)
        assert split.is_seen.tolist() == [True, False, True, True, False, True]
        assert split.name == "unseen-1-4"
        assert split == ClassSplit(6, (1, 4))

    @pytest.mark.parametrize(
        ("unseen", "message"),
        [
            ((1, 6), "different ones of 0 to 5"),
            ((1, -1), "different ones"),
            ((1, 1), "different ones"),
            ((1,), "at least 2 must be unseen and 2 seen"),
            ((0, 1, 2, 3, 4), "at least 2 must be unseen and 2 seen"),
        ],
    )
    def test_errors(self, unseen: tuple[int, ...], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            ClassSplit(6, unseen)


class TestDraw:
    def test_even(self) -> None:
        splits = draw_splits(10, 3, 3, seed=0)
        chosen = list(itertools.chain(*(split.unseen for split in splits)))
        assert len(set(chosen)) == 9
        # More of them begin with the same ones.
        assert draw_splits(10, 7, 3, seed=0)[:3] == splits
        assert draw_splits(10, 3, 3, seed=1) != splits

    def test_all_there_are(self) -> None:
        splits = draw_splits(5, 10, 2)
        assert len(set(splits)) == 10

    def test_errors(self) -> None:
        with pytest.raises(ValueError, match="there are 10"):
            draw_splits(5, 11, 2)
        with pytest.raises(ValueError, match="at least 2"):
            draw_splits(5, 1, 4)


class TestSeenData:
    def write(self, folder: Path, classes: int = 10) -> Path:
        source = folder / "nwucla.pkl"
        write_annotations(source, classes=classes)
        return source

    def test_nothing_of_the_unseen_classes(self, tmp_path: Path) -> None:
        source = self.write(tmp_path)
        split = ClassSplit(10, (0, 3, 9))
        data = write_seen_data(source, "xview_train", NWUCLA, split, tmp_path / "d", 5)
        content = load_annotations(data.annotations)
        whole = {
            item["frame_dir"]: item for item in load_annotations(source)["annotations"]
        }
        train, held_out = (set(content["split"][s]) for s in ("train", "held_out"))
        assert not train & held_out
        assert train | held_out == {
            item["frame_dir"] for item in content["annotations"]
        }
        assert (len(train), len(held_out)) == (data.num_train, data.num_held_out)
        # All of the training split's clips of seen classes, with labels in a row.
        expected = {
            name: split.seen.index(whole[name]["label"])
            for name in load_annotations(source)["split"]["xview_train"]
            if whole[name]["label"] not in split.unseen
        }
        found = {item["frame_dir"]: item["label"] for item in content["annotations"]}
        assert found == expected
        assert set(found.values()) == set(range(7))
        # Two of ten performers, of whom nothing is trained on.
        performers = {name[4:7] for name in held_out}
        assert len(performers) == 2
        assert not performers & {name[4:7] for name in train}

    def test_descriptions(self, tmp_path: Path) -> None:
        source = self.write(tmp_path)
        split = ClassSplit(10, (0, 3, 9))
        data = write_seen_data(source, "xview_train", NWUCLA, split, tmp_path / "d", 5)
        whole, found = load_descriptions(NWUCLA), load_descriptions(data.descriptions)
        assert [item.label for item in found] == [whole[c].label for c in split.seen]
        # The fields that the file includes from another one are there as well.
        assert [item.fields for item in found] == [whole[c].fields for c in split.seen]
        assert "hake" in found[0].fields

    def test_other_sources_make_other_files(self, tmp_path: Path) -> None:
        source = self.write(tmp_path)
        split = ClassSplit(10, (0, 3, 9))

        def write(folds: int = 5) -> set[Path]:
            made = write_seen_data(
                source, "xview_train", NWUCLA, split, tmp_path / "d", folds
            )
            return {made.annotations, made.descriptions}

        first = write()
        state = {path: path.stat().st_mtime_ns for path in first}
        assert write() == first
        assert {path: path.stat().st_mtime_ns for path in first} == state
        assert len(write(4) & first) == 1
        write_annotations(source, performers=9)
        assert len(write() & first) == 1

    def test_errors(self, tmp_path: Path) -> None:
        source = self.write(tmp_path, classes=9)
        split = ClassSplit(10, (0, 3))
        with pytest.raises(ValueError, match="no clip of class 9"):
            write_seen_data(source, "xview_train", NWUCLA, split, tmp_path, 5)
        split = ClassSplit(4, (0, 3))
        with pytest.raises(ValueError, match="label=4 is no class, 0 to 3"):
            write_seen_data(source, "xview_train", NWUCLA, split, tmp_path, 5)
        split = ClassSplit(9, (0, 3))
        with pytest.raises(ValueError, match="describes 10 classes"):
            write_seen_data(source, "xview_train", NWUCLA, split, tmp_path, 5)
        with pytest.raises(ValueError, match="no split 'train'"):
            write_seen_data(source, "train", NWUCLA, split, tmp_path, 5)


def test_labels_of_numpy(tmp_path: Path) -> None:
    """Labels of converted files are numpy's."""
    source = tmp_path / "some.pkl"
    write_annotations(source, classes=4)
    content = load_annotations(source)
    for item in content["annotations"]:
        item["label"] = np.int64(item["label"])
    source.write_bytes(pickle.dumps(content))
    descriptions = Path(write_descriptions(tmp_path, ["a", "b", "c", "d"]))
    split = ClassSplit(4, (1, 2))
    data = write_seen_data(source, "xview_train", descriptions, split, tmp_path, 5)
    labels = {
        item["label"] for item in load_annotations(data.annotations)["annotations"]
    }
    assert labels == {0, 1}
