"""tools/retrieve.py: what is found, what is kept, and what is refused."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from gap_mmaction.apis import extract_features
from gap_mmaction.models import PromptBank
from gap_mmaction.models.text.cached_encoder import save_features
from gap_mmaction.models.text.text_encoder import build_frozen_encoder
from tests.apis.small_model import SmallRun, make_config, make_run, make_sequences
from tools import retrieve

Printed = pytest.CaptureFixture[str]
ENCODER = ["--encoder", "EmbeddingTextEncoder"]


class Files(NamedTuple):
    model: SmallRun
    clips: str
    cosines: np.ndarray  # with the classes' texts

    def run(self, *arguments: str) -> int:
        options = [*self.model.options, "--ann-file", self.clips]
        return retrieve.main([*options, *arguments])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    init_default_scope("mmaction")
    folder = tmp_path_factory.mktemp("retrieve")
    config = make_config(folder)
    branch = config.model.text_branch
    texts = PromptBank(branch.prompts.descriptions).texts
    encoder = build_frozen_encoder({"type": "EmbeddingTextEncoder"})
    save_features(branch.features, texts, encoder.encode(texts), "letters")
    model = make_run(folder, config)
    sequences = make_sequences(5)
    items: list[dict[str, Any]] = [
        {"frame_dir": f"a{i}", "keypoint": keypoint, "label": 2 * i}
        for i, keypoint in enumerate(sequences)
    ]
    del items[1]["label"]
    split = {"val": ["a0", "a1", "a2", "a4"]}
    content = {"split": split, "annotations": items}
    (folder / "clips.pkl").write_bytes(pickle.dumps(content))
    results = model.inferencer()(sequences, part_similarity=True)
    cosines = np.array([result.part_similarity for result in results])
    return Files(model, str(folder / "clips.pkl"), cosines)


def names(scores: np.ndarray) -> list[str]:
    return [f"a{i}" for i in np.argsort(-scores, kind="stable")]


def test_class(files: Files, tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    arguments = ["--class", "sit down", "--top", "4", "--batch-size", "2"]
    assert files.run(*arguments, "--out", str(out)) == 0
    label = files.model.inferencer().labels.index("sit down")
    scores = files.cosines[:, :, label].mean(1)
    content = json.loads(out.read_text())
    assert [match["name"] for match in content["results"]] == names(scores)[:4]
    for match in content["results"]:
        row = int(match["name"][1])
        assert match["score"] == pytest.approx(scores[row], abs=1e-5)
        assert match["label"] == (None if row == 1 else 2 * row)
    out = tmp_path / "found.csv"
    arguments = ["--class", "4", "--part", "hand", "--split", "val"]
    assert files.run(*arguments, "--out", str(out)) == 0
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    expected = [name for name in names(files.cosines[:, 2, 4]) if name != "a3"]
    assert [row["name"] for row in rows] == expected
    assert rows[0]["score"][:6] == rows[0]["cosine_hand"][:6]


def test_text(files: Files, tmp_path: Path, capsys: Printed) -> None:
    out = tmp_path / "found.json"
    query = "raise the right hand"
    assert files.run(query, *ENCODER, "--out", str(out)) == 0
    encoder = build_frozen_encoder({"type": "EmbeddingTextEncoder"})
    inferencer = files.model.inferencer()
    similarity = inferencer.load_text_branch(encoder)
    content = json.loads(out.read_text())
    annotations = inferencer.read(files.clips, "clips")
    features = extract_features(inferencer, similarity, annotations)
    cosines = similarity.compare(features, similarity.text_features([query]))
    scores = cosines[:, :, 0].mean(1).numpy()
    assert [match["name"] for match in content["results"]] == names(scores)
    for arguments, message in (
        ([query], "is no text of the model's classes"),
        (["--class", "swim"], "there is no such class; there are pick up with"),
        (["--class", "throw", "--part", "tail"], "no part 'tail'"),
    ):
        assert files.run(*arguments) == 1
        assert message in capsys.readouterr().err


def test_kept_features(
    files: Files, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = tmp_path / "clips.safetensors"
    arguments = ["--class", "throw", "--features", str(features)]
    assert files.run(*arguments) == 0
    first, before = capsys.readouterr().out, features.read_bytes()
    # A class's texts are there too: neither a model nor clips are needed.
    with monkeypatch.context() as patch:
        patch.delattr(retrieve, "SkeletonInferencer")
        assert files.run(*arguments) == 0
    assert capsys.readouterr().out in first
    # They are not taken for those of something else.
    state = torch.load(files.model.checkpoint, weights_only=True)
    state["state_dict"]["cls_head.fc.bias"] += 1
    torch.save(state, tmp_path / "other.pth")
    for change, what in (
        (["--checkpoint", str(tmp_path / "other.pth")], "another checkpoint;"),
        (["--split", "val"], "another split;"),
    ):
        assert files.run(*arguments, *change) == 1
        assert what in capsys.readouterr().err
    # Other clips in a file as long.
    content = pickle.loads(Path(files.clips).read_bytes())
    content["annotations"][0]["keypoint"] *= 2
    (tmp_path / "clips.pkl").write_bytes(pickle.dumps(content))
    assert files.run(*arguments, "--ann-file", str(tmp_path / "clips.pkl")) == 1
    assert "another content of the ann-file;" in capsys.readouterr().err
    assert features.read_bytes() == before
