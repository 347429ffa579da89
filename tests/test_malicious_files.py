"""Files that would run code are refused wherever a file is read.

The harmless marker is a file that such a file would create.
"""

from __future__ import annotations

import contextlib
import functools
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.apis import init_recognizer
from mmaction.registry import MODELS
from mmengine.config import Config

from gap_mmaction.apis import load_model as load_for_test
from gap_mmaction.datasets import SafePoseDataset
from gap_mmaction.datasets.ntu.conversion import Chunk
from gap_mmaction.deploy.checkpoint_conversion import convert_checkpoint
from gap_mmaction.deploy.publish import publish_model
from gap_mmaction.evaluation.score_file import load_scores
from gap_mmaction.experiments.annotation_splits import class_sizes
from gap_mmaction.models import CachedTextEncoder, HFTextEncoder, OpenCLIPTextEncoder
from gap_mmaction.models.recognizers import drop_text_branch
from gap_mmaction.models.text.descriptions import load_descriptions
from tests.models.text_common import save_tiny_hf
from tools import browse_descriptions, fuse_scores, test, train
from tools.data import pre_normalize

ROOT = Path(__file__).resolve().parents[1]
CONFIG = str(ROOT / "configs" / "gap" / "ctrgcn_synthetic.py")


class Creates:
    """Pickles as a call that creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self.marker), "w")


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.fixture
def evil_pickle(tmp_path: Path, marker: Path) -> Path:
    path = tmp_path / "evil.pkl"
    item = {"frame_dir": "a", "label": 0, "keypoint": Creates(marker)}
    content = {"split": {"train": ["a"], "val": ["a"]}, "annotations": [item]}
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.fixture(params=["zip", "legacy", "plain pickle"])
def evil_checkpoint(
    request: pytest.FixtureRequest, tmp_path: Path, marker: Path
) -> Path:
    path = tmp_path / "evil.pth"
    content = {"state_dict": {"backbone.A": Creates(marker)}, "meta": {"epoch": 1}}
    if request.param == "plain pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        is_zip = request.param == "zip"
        torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    return path


def options(data: Path, work_dir: Path, *more: str) -> list[str]:
    loaders = ("train", "val", "test")
    files = [f"{name}_dataloader.dataset.ann_file={data}" for name in loaders]
    return ["--work-dir", str(work_dir), "--cfg-options", *files, *more]


def expect_refusal(call: Callable[[], Any], file: Path, marker: Path) -> None:
    # A tool ends in the line that says why.
    refusals = (pickle.UnpicklingError, ValueError, SystemExit)
    with pytest.raises(refusals) as caught:
        call()
    assert str(file) in str(caught.value)
    assert "weights_only" not in str(caught.value), "that advice is not ours"
    assert not marker.exists()


def test_the_marker_works(
    evil_pickle: Path, evil_checkpoint: Path, marker: Path
) -> None:
    pickle.loads(evil_pickle.read_bytes())["annotations"][0]["keypoint"].close()
    assert marker.exists()
    marker.unlink()
    with contextlib.suppress(RuntimeError):  # of torch, after the plain pickle
        torch.load(evil_checkpoint, weights_only=False)
    assert marker.exists()


PICKLE_READERS: dict[str, Callable[[Path, Path], Any]] = {
    "SafePoseDataset": lambda file, _: SafePoseDataset(str(file), [], split="train"),
    "single files": lambda file, _: read_single(file),
    "train": lambda file, folder: train.main([CONFIG, *options(file, folder)]),
    "scores": lambda file, _: load_scores(file),
    "reproduce: sizes": lambda file, _: class_sizes(file, "train"),
    "features": lambda file, _: CachedTextEncoder(str(file)),
    "descriptions": lambda file, _: load_descriptions(file),
}


def read_single(file: Path) -> None:
    """Reads annotations whose skeletons are in files of their own."""
    every = file.with_name("list.pkl")
    every.write_bytes(pickle.dumps([{"frame_dir": file.stem, "label": 0}]))
    SafePoseDataset(str(every), [], data_prefix={"skeleton": str(file.parent)})[0]


@pytest.mark.parametrize("reader", PICKLE_READERS)
def test_pickle(reader: str, evil_pickle: Path, marker: Path, tmp_path: Path) -> None:
    read = PICKLE_READERS[reader]
    expect_refusal(lambda: read(evil_pickle, tmp_path / "work"), evil_pickle, marker)


@pytest.mark.parametrize(
    ("main", "arguments"),
    [
        (fuse_scores.main, ["{}", "--weights", "1"]),
        (pre_normalize.main, ["{}", "{}.out.pkl"]),
        (browse_descriptions.main, ["nwucla", "carry", "--features", "{}"]),
    ],
)
def test_pickle_on_a_command_line(
    main: Any, arguments: list[str], evil_pickle: Path, marker: Path, capsys: Any
) -> None:
    assert main([argument.format(evil_pickle) for argument in arguments]) == 1
    assert str(evil_pickle) in capsys.readouterr().err
    assert not marker.exists()


def test_part_of_prepare_ntu(evil_pickle: Path, marker: Path, tmp_path: Path) -> None:
    chunk = Chunk(0, (), "reference", tmp_path / "parts")
    chunk.path.parent.mkdir()
    chunk.path.write_bytes(evil_pickle.read_bytes())
    expect_refusal(chunk.load, chunk.path, marker)


CHECKPOINT_READERS: dict[str, Callable[[Path, Path, Path], Any]] = {
    "train --resume": lambda file, *rest: train.main(
        [CONFIG, "--resume", str(file), *options(*rest)]
    ),
    "test": lambda file, *rest: test.main([CONFIG, str(file), *options(*rest)]),
    "publish": lambda file, _, folder: publish_model(file, folder / "out.pth"),
    "convert": lambda file, _, out: convert_checkpoint("gap", file, out / "out.pth"),
    "export": lambda file, *_: load_for_test(model_config(), file),
    "init_recognizer": lambda file, *_: init_recognizer(
        model_config(), str(file), device="cpu"
    ),
    "open_clip": lambda file, *_: OpenCLIPTextEncoder(
        "tiny", pretrained=str(file)
    ).init_weights(),
}


def model_config() -> Config:
    config = Config.fromfile(CONFIG)
    drop_text_branch(config)
    return config


@pytest.mark.parametrize("reader", CHECKPOINT_READERS)
def test_checkpoint(
    reader: str, evil_checkpoint: Path, synthetic: Path, tmp_path: Path, request: Any
) -> None:
    if reader == "open_clip":
        request.getfixturevalue("tiny_clip")
    file, read = evil_checkpoint, CHECKPOINT_READERS[reader]
    call = functools.partial(read, file, synthetic, tmp_path / "work")
    expect_refusal(call, file, tmp_path / "marker")


def test_folder_of_a_transformers_model(tmp_path: Path, marker: Path) -> None:
    pytest.importorskip("transformers")
    folder = Path(save_tiny_hf(tmp_path / "model", "bert"))
    encoder = HFTextEncoder(str(folder))
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Mine"}}
    evil = tmp_path / "evil"
    evil.mkdir()
    (evil / "config.json").write_text(json.dumps(config))
    (evil / "mine.py").write_text(f"open({str(marker)!r}, 'w')\nclass Mine: pass\n")
    with pytest.raises(RuntimeError, match=rf"(?s){evil}.*trust_remote_code"):
        HFTextEncoder(str(evil))
    (folder / "model.safetensors").unlink()
    torch.save({"a": Creates(marker)}, folder / "pytorch_model.bin")
    expect_refusal(encoder.init_weights, folder, marker)


def test_code_in_the_meta_of_a_checkpoint(synthetic: Path, marker: Path) -> None:
    # Nothing but tensors and texts, and yet MMEngine would run the text.
    model = MODELS.build(model_config().model)
    content = {
        "state_dict": model.state_dict(),
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1).state_dict(),
    }
    meta = {"epoch": 0, "iter": 0, "config": f"open({str(marker)!r}, 'w')"}
    hub: dict[str, Any] = {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}}
    file = marker.with_name("resumed.pth")
    torch.save({**content, "meta": meta, "message_hub": hub}, file)
    more = ["train_cfg.max_epochs=0", "model.text_branch=None"]
    more = options(synthetic, marker.with_name("work"), *more)
    train.main([CONFIG, "--resume", str(file), *more])
    assert not marker.exists()


def test_descriptions_with_python_in_them(tmp_path: Path, marker: Path) -> None:
    path = tmp_path / "evil.yaml"
    tag = f"!!python/object/apply:builtins.open ['{marker}', 'w']"
    path.write_text(f"schema: gap-descriptions/1\nclasses: [{{label: {tag}}}]\n")
    expect_refusal(lambda: load_descriptions(path), path, marker)


def test_every_reader_leaves_pickles_out() -> None:
    safe = {"np.load(": "allow_pickle=False", "torch.load(": "weights_only=True"}
    for folder in ("gap_mmaction", "tools"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            for call in ("pickle.load(", "pickle.loads(", "mmengine.load("):
                assert call not in text, (path, call)
            for call, argument in safe.items():
                for rest in text.split(call)[1:]:
                    assert argument in rest.partition(")")[0], (path, call)
