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

from gap_mmaction.apis import ClipFeatures, SkeletonInferencer
from gap_mmaction.models import PromptBank
from gap_mmaction.models.text.cached_encoder import save_features
from gap_mmaction.models.text.text_encoder import build_frozen_encoder
from tests.apis.small_model import make_config, make_model, make_sequences
from tests.models import text_common  # noqa: F401  registers EmbeddingTextEncoder
from tools import retrieve

SLOTS = ["global", "head", "hand", "hip", "foot"]
ENCODER = ["--encoder", "EmbeddingTextEncoder"]


class Files(NamedTuple):
    """A model and clips."""

    folder: Path
    options: list[str]
    inferencer: SkeletonInferencer
    cosines: np.ndarray  # with the classes' texts

    def run(self, *arguments: str) -> int:
        return retrieve.main([*self.options, *arguments])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    init_default_scope("mmaction")
    folder = tmp_path_factory.mktemp("retrieve")
    config = make_config(folder)
    branch = config.model.text_branch
    texts = PromptBank(branch.prompts.descriptions).texts
    encoder = build_frozen_encoder({"type": "EmbeddingTextEncoder"})
    save_features(branch.features, texts, encoder.encode(texts), "letters")
    checkpoint = folder / "epoch_1.pth"
    make_model(config, checkpoint)
    config.dump(folder / "config.py")
    sequences = make_sequences(5)
    items: list[dict[str, Any]] = [
        {"frame_dir": f"a{i}", "keypoint": keypoint, "label": 2 * i}
        for i, keypoint in enumerate(sequences)
    ]
    del items[1]["label"]
    split = {"val": ["a0", "a1", "a2", "a4"]}
    (folder / "clips.pkl").write_bytes(
        pickle.dumps({"split": split, "annotations": items})
    )
    options = [
        *("--config", str(folder / "config.py"), "--checkpoint", str(checkpoint)),
        *("--ann-file", str(folder / "clips.pkl")),
    ]
    inferencer = SkeletonInferencer(config, checkpoint)
    results = inferencer(sequences, part_similarity=True)
    cosines = np.array([result.part_similarity for result in results])
    return Files(folder, options, inferencer, cosines)


def names(scores: np.ndarray) -> list[str]:
    return [f"a{i}" for i in np.argsort(-scores, kind="stable")]


def test_class(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.json"
    arguments = ["--class", "sit down", "--top", "4", "--batch-size", "2"]
    assert files.run(*arguments, "--out", str(out)) == 0
    label = files.inferencer.labels.index("sit down")
    scores = files.cosines[:, :, label].mean(1)
    content = json.loads(out.read_text())
    assert [match["name"] for match in content["results"]] == names(scores)[:4]
    assert content["clips"] == 5 and content["parts"] == SLOTS
    for match in content["results"]:
        row = int(match["name"][1])
        assert match["score"] == pytest.approx(scores[row], abs=1e-5)
        assert list(match["cosines"].values()) == pytest.approx(
            files.cosines[row, :, label].tolist(), abs=1e-5
        )
        assert match["label"] == (None if row == 1 else 2 * row)
    printed = capsys.readouterr().out
    assert "| rank | clip | class" in printed
    # The third clip is of this class.
    hits = int("a2" in names(scores)[:4])
    assert f"{hits} of these 4 are 'sit down', as 1 of all 5 are" in printed


def test_part_and_split(files: Files, tmp_path: Path) -> None:
    out = tmp_path / "found.csv"
    arguments = ["--class", "4", "--part", "hand", "--split", "val"]
    assert files.run(*arguments, "--out", str(out)) == 0
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    expected = [name for name in names(files.cosines[:, 2, 4]) if name != "a3"]
    assert [row["name"] for row in rows] == expected
    for row in rows:
        assert float(row["score"]) == pytest.approx(float(row["cosine_hand"]))
        assert (row["label"] == "") == (row["name"] == "a1")


def test_text(files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "found.json"
    query = "raise the right hand"
    assert files.run(query, *ENCODER, "--out", str(out)) == 0
    encoder = build_frozen_encoder({"type": "EmbeddingTextEncoder"})
    similarity = files.inferencer.load_text_branch(encoder)
    content = json.loads(out.read_text())
    annotations = files.inferencer.read(str(files.folder / "clips.pkl"), "clips")
    samples = [files.inferencer.prepare(item) for item in annotations]
    data = {key: [s[key] for s in samples] for key in ("inputs", "data_samples")}
    cosines = similarity.compare(
        similarity.skeleton_features(data), similarity.text_features([query])
    )
    scores = cosines[:, :, 0].mean(1).numpy()
    assert [match["name"] for match in content["results"]] == names(scores)
    assert len(set(np.round(scores, 6))) == 5
    # Without an encoder nothing is computed.
    capsys.readouterr()
    features = tmp_path / "clips.safetensors"
    assert files.run(query, "--features", str(features)) == 1
    assert "is no text of the model's classes" in capsys.readouterr().err
    assert not features.exists()


def test_kept_features(
    files: Files,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features = tmp_path / "clips.safetensors"
    arguments = ["--class", "throw", "--features", str(features)]
    assert files.run(*arguments) == 0
    first, before = capsys.readouterr().out, features.read_bytes()
    assert ClipFeatures.load(features).names == ("a0", "a1", "a2", "a3", "a4")

    def refuse(*args: Any, **options: Any) -> Any:
        raise AssertionError("a second query computes nothing")

    monkeypatch.setattr(retrieve, "compute_clip_features", refuse)
    assert files.run("jump", *ENCODER, "--features", str(features)) == 0
    capsys.readouterr()
    # A class's texts are there too: neither a model nor clips are needed.
    monkeypatch.setattr(retrieve, "SkeletonInferencer", refuse)
    assert files.run(*arguments) == 0
    assert capsys.readouterr().out in first
    # They are not taken for those of something else.
    state = torch.load(files.folder / "epoch_1.pth", weights_only=True)
    state["state_dict"]["cls_head.fc.bias"] += 1
    torch.save(state, tmp_path / "other.pth")
    length = "test_dataloader.dataset.pipeline.2.clip_len=8"
    for change, what in (
        (["--checkpoint", str(tmp_path / "other.pth")], "another checkpoint;"),
        (["--split", "val"], "another split;"),
        (["--cfg-options", length], "model and test pipeline of the config;"),
    ):
        assert files.run(*arguments, *change) == 1
        assert what in capsys.readouterr().err
    assert features.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--class", "swim"], "there is no such class; there are pick up with"),
        (["--class", "10"], "no such class"),
        (["--class", "throw", "--part", "tail"], "no part 'tail'"),
        (["--class", "throw", "--split", "test"], "no split 'test'"),
        (["--class", "throw", "--checkpoint", "absent.pth"], "absent.pth"),
        (["--class", "0", "--cfg-options", "model.text_branch=None"], "text branch"),
        (["jump", "--encoder", "Nothing"], "no text encoder 'Nothing'"),
        (
            ["jump", *ENCODER, "--encoder-options", "embed_dims=4"],
            "is not the one that the model was trained with",
        ),
    ],
)
def test_errors(
    files: Files,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert files.run(*arguments) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and message in printed


def test_command_line() -> None:
    required = ["--config", "c.py", "--checkpoint", "c.pth", "--ann-file", "a.pkl"]
    for arguments in (
        *([], ["jump", "--class", "throw"], [" "], ["jump", "--top", "0"]),
        *(["jump", "--out", "found.txt"], ["jump", "--features", "clips.pkl"]),
        ["jump", "--encoder-options", "model=x"],
    ):
        with pytest.raises(SystemExit):
            retrieve.parse_args([*required, *arguments])
