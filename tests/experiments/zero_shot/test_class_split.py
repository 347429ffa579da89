"""Which classes are unseen, and data without them."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.experiments.zero_shot.class_split import ClassSplit, draw_splits
from gap_mmaction.experiments.zero_shot.unseen_configs import ZeroShotConfigs
from gap_mmaction.models.text.descriptions import load_descriptions
from gap_mmaction.utils.restricted_pickle import load_annotations
from tests.config_files import ROOT
from tests.experiments.fake_project import write_annotations

CONFIG = ROOT / "configs" / "gap" / "ctrgcn_nwucla_cpu.py"
SPLIT = ClassSplit(10, (0, 3, 9))


def test_classes() -> None:
    split = ClassSplit(6, (4, 1))
    assert split.unseen == (1, 4)
    assert split.seen == (0, 2, 3, 5)
    assert split.is_seen.tolist() == [True, False, True, True, False, True]
    assert ClassSplit(2, ()).is_seen.tolist() == [True, True]
    assert (split.name, ClassSplit(6, ()).name) == ("unseen-1-4", "unseen-none")
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
def test_classes_that_cannot_be(unseen: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClassSplit(6, unseen)


def test_drawn_splits() -> None:
    splits = draw_splits(10, 3, 3, seed=0)
    chosen = list(itertools.chain(*(split.unseen for split in splits)))
    assert len(set(chosen)) == 9
    # More of them begin with the same ones.
    assert draw_splits(10, 7, 3, seed=0)[:3] == splits
    assert draw_splits(10, 3, 3, seed=1) != splits
    assert len(set(draw_splits(5, 10, 2))) == 10
    with pytest.raises(ValueError, match="there are 10"):
        draw_splits(5, 11, 2)
    with pytest.raises(ValueError, match="at least 2"):
        draw_splits(5, 1, 4)


class TestDataOfSeenClasses:
    def make(self, folder: Path, split: ClassSplit = SPLIT, **settings: Any) -> Any:
        """Returns the settings of a training, and its annotations."""
        source = folder / "nwucla.pkl"
        if not source.is_file():
            write_annotations(source, classes=settings.pop("classes", 10))
        folds = settings.get("folds", 5)
        configs = ZeroShotConfigs(CONFIG, source, num_folds=folds)
        config, annotations = configs.make(split, folder / "d")
        return config.settings, annotations

    def test_nothing_of_the_unseen_classes(self, tmp_path: Path) -> None:
        _, annotations = self.make(tmp_path)
        source = load_annotations(tmp_path / "nwucla.pkl")
        content = load_annotations(annotations)
        whole = {item["frame_dir"]: item for item in source["annotations"]}
        train, held_out = (set(content["split"][s]) for s in ("train", "held_out"))
        found = {item["frame_dir"]: item["label"] for item in content["annotations"]}
        assert not train & held_out
        assert train | held_out == set(found)
        # All of the training split's clips of seen classes, with labels in a row.
        assert found == {
            name: SPLIT.seen.index(whole[name]["label"])
            for name in source["split"]["xview_train"]
            if whole[name]["label"] not in SPLIT.unseen
        }
        assert set(found.values()) == set(range(7))
        # Two of ten performers, of whom nothing is trained on.
        performers = {name[4:7] for name in held_out}
        assert len(performers) == 2
        assert not performers & {name[4:7] for name in train}

    def test_descriptions(self, tmp_path: Path) -> None:
        prompts = self.make(tmp_path)[0].model.text_branch.prompts
        found = load_descriptions(prompts.descriptions)
        whole = load_descriptions(ROOT / "data" / "descriptions" / "nwucla.yaml")
        # The fields that the file includes from another one are there as well.
        assert [item.fields for item in found] == [whole[c].fields for c in SPLIT.seen]
        assert "hake" in found[0].fields

    def test_other_sources_make_other_files(self, tmp_path: Path) -> None:
        _, first = self.make(tmp_path)
        written = first.stat().st_mtime_ns
        assert self.make(tmp_path)[1] == first
        assert first.stat().st_mtime_ns == written
        assert self.make(tmp_path, folds=4)[1] != first
        write_annotations(tmp_path / "nwucla.pkl", performers=9)
        assert self.make(tmp_path)[1] != first

    @pytest.mark.parametrize(
        ("split", "settings", "message"),
        [
            (ClassSplit(10, (0, 3)), {"classes": 9}, "no clip of class 9"),
            (ClassSplit(4, (0, 3)), {}, "label=4 is no class, 0 to 3"),
            (ClassSplit(9, (0, 3)), {"classes": 9}, "describes 10 classes"),
        ],
    )
    def test_errors(
        self, tmp_path: Path, split: ClassSplit, settings: Any, message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            self.make(tmp_path, split, **settings)

    def test_labels_of_numpy(self, tmp_path: Path) -> None:
        """Labels of converted files are numpy's."""
        source = tmp_path / "nwucla.pkl"
        write_annotations(source)
        content = load_annotations(source)
        for item in content["annotations"]:
            item["label"] = np.int64(item["label"])
        source.write_bytes(pickle.dumps(content))
        items = load_annotations(self.make(tmp_path)[1])["annotations"]
        assert {item["label"] for item in items} == set(range(7))
