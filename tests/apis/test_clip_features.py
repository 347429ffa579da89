"""Files of clips' features, and the ranking of clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save

from gap_mmaction.apis import ClipFeatures, rank_clips
from gap_mmaction.apis.clip_features import read_labels


def make_clips(clips: int = 6) -> ClipFeatures:
    generator = torch.Generator().manual_seed(0)

    def draw(rows: int) -> torch.Tensor:
        return F.normalize(torch.randn((rows, 2, 4), generator=generator), dim=-1)

    return ClipFeatures(
        names=tuple(f"clip{i}" for i in range(clips)),
        labels=np.array([0, 1, 2, -1, 1, 0][:clips]),
        features=draw(clips),
        parts=("global", "hand"),
        classes=("sit", "stand", "thröw"),
        class_features=draw(3),
        source={"checkpoint": "abc"},
    )


class TestFile:
    def test_round_trip(self, tmp_path: Path) -> None:
        clips = make_clips()
        path = tmp_path / "new" / "clips.safetensors"
        clips.save(path)
        again = ClipFeatures.load(path)
        for name in ("names", "parts", "classes", "source"):
            assert getattr(again, name) == getattr(clips, name)
        np.testing.assert_array_equal(again.labels, clips.labels)
        assert torch.equal(again.features, clips.features)
        assert torch.equal(again.class_features, clips.class_features)

    def test_broken_files(self, tmp_path: Path) -> None:
        path = tmp_path / "clips.safetensors"
        with pytest.raises(FileNotFoundError, match="no file of clip features"):
            ClipFeatures.load(path)
        make_clips().save(path)
        whole = path.read_bytes()
        zeros = {"features": torch.zeros(1)}
        wrong = save(zeros, {"format": "gap-clip-features/1"})
        for content in (b"\0" * 100, whole[:-8], save(zeros), wrong):
            path.write_bytes(content)
            with pytest.raises(ValueError, match=r"clips\.safetensors: no file of"):
                ClipFeatures.load(path)

    def test_what_does_not_fit(self) -> None:
        clips = make_clips()
        for change in ({"names": clips.names[1:]}, {"classes": ("sit",)}):
            with pytest.raises(ValueError, match="do not fit one another"):
                ClipFeatures(**{**vars(clips), **change})
        with pytest.raises(ValueError, match="but there are 3 classes"):
            ClipFeatures(**{**vars(clips), "labels": clips.labels + 1 + clips.labels})


class TestRanking:
    def test_parts(self) -> None:
        clips = make_clips()
        text = clips.class_features[1]
        found = rank_clips(clips, text, ["hand"], 2)
        order = np.argsort(-clips.cosines()[:, 1, 1])
        assert [match.name for match in found] == [f"clip{i}" for i in order[:2]]
        by_name = {match.name: match for match in rank_clips(clips, text)}
        assert by_name["clip2"].label_name == "thröw"
        assert by_name["clip3"].label is None and by_name["clip3"].label_name == ""
        assert rank_clips(clips, text, ["hand", "global"]) == rank_clips(clips, text)
        with pytest.raises(ValueError, match="no part 'foot'; the model has global"):
            rank_clips(clips, text, ["foot"])


def test_labels() -> None:
    items: list[dict[str, Any]] = [{"label": 1}, {}, {"label": np.int64(0)}]
    np.testing.assert_array_equal(read_labels(items, 2), [1, -1, 0])
    for label in (2, -1, "sit", 1.0):
        with pytest.raises(ValueError, match=r"f: a: label=.* is no class, 0 to 1"):
            read_labels([{"frame_dir": "a", "label": label}], 2, "f")
