"""What is fuzzed: a kind of file, its valid forms, and what reading it must give."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import pickle
import random
import signal
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import MMLogger
from safetensors.torch import save

from gap_mmaction.datasets import SafePoseDataset
from gap_mmaction.datasets.ntu.sample import PROTOCOLS, convert_skeleton
from gap_mmaction.datasets.readers import CLIP_SETS
from gap_mmaction.datasets.source import Source
from gap_mmaction.evaluation.score_file import check_same_samples, load_scores
from gap_mmaction.models.text.cached_encoder import FORMAT, hash_texts, open_features
from gap_mmaction.models.text.descriptions import load_descriptions
from tests.fuzz.mutations import WRONG_VALUES, mutate, put, to_json
from tests.ntu_recordings import format_skeleton

# What the documentation names; the message has to name the file.
EXPECTED = (ValueError, KeyError, TypeError, FileNotFoundError, pickle.UnpicklingError)
LONGEST_MESSAGE = 20_000
SECONDS = 20
_NAME = "S001C001P001R001A001.skeleton"
_SEQUENCE = "a01_s01_e00_v01"


class Finding(BaseException):
    """What must not be; no ``except Exception`` on the way can hide it."""


@dataclass(frozen=True)
class Target:
    file: str  # its name
    contents: Sequence[Any]  # what valid files hold
    dump: Callable[[Any], bytes]  # makes the bytes of a content
    read: Callable[[Path], None]  # reads a file and checks what has come of it

    def seeds(self) -> list[bytes]:
        return [self.dump(content) for content in self.contents]

    def check(self, data: bytes, folder: Path) -> bool:
        """Reads bytes as such a file; returns whether they were accepted.

        Any exception but those in ``EXPECTED`` that name the file is a finding.
        """
        path = folder / self.file
        path.write_bytes(data)
        before = signal.signal(signal.SIGALRM, _give_up)
        signal.alarm(SECONDS)
        try:
            self.read(path)
        except EXPECTED as error:
            message = str(error)
            # Or another file that it names.
            named = self.file in message or str(folder) in message
            _require(named and len(message) < LONGEST_MESSAGE, message[:200])
            return False
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        return True


def _give_up(*_: Any) -> None:
    raise Finding(f"it takes more than {SECONDS} seconds")


def _require(condition: Any, what: str) -> None:
    if not condition:
        raise Finding(what)


def _annotations() -> list[Any]:
    rng = np.random.default_rng(0)
    items = [
        {
            **{"frame_dir": f"s{i}", "label": np.int64(i) if i == 2 else i},
            **{"total_frames": 4, "img_shape": (1080, 1920)},
            "keypoint": rng.normal(size=(1, 4, 20, 3)).astype("f2" if i else "f4"),
            "keypoint_score": np.ones((1, 4, 20), "f4"),
        }
        for i in range(3)
    ]
    return [{"split": {"train": ["s0", "s1", "s2"]}, "annotations": items}]


def _read_annotations(path: Path) -> None:
    options: dict[str, Any] = dict(layout="nw-ucla", num_classes=3, split="train")
    dataset = SafePoseDataset(str(path), [], serialize_data=False, **options)
    _require(len(dataset), "there is no sequence")
    for sample in dataset:
        keypoint, shape = sample["keypoint"], sample["keypoint"].shape
        _require(len(shape) == 4 and shape[2] == 20 and keypoint.any(), "no body")
        _require(np.isfinite(keypoint.astype(np.float32)).all(), "not finite")
        _require(0 <= int(sample["label"]) < 3, "of another class")
        _require(isinstance(sample["frame_dir"], str), "without a name")
        _require(sample["total_frames"] == shape[1], "of another length")


def _scores() -> list[Any]:
    rows = list(enumerate(torch.randn(3, 4)))
    tensors = [dict(pred_score=x, gt_label=torch.tensor([i])) for i, x in rows]
    named = [{**item, "frame_dir": f"s{i}"} for i, item in enumerate(tensors)]
    return [named, [dict(pred_score=x.numpy(), gt_label=i) for i, x in rows]]


def _read_scores(path: Path) -> None:
    file = load_scores(path)
    scores, labels, names = file.scores, file.labels, file.sample_ids
    _require(scores.ndim == 2 and scores.dtype == np.float64, "no matrix")
    _require(np.isfinite(scores).all(), "not finite")
    _require(labels.shape == scores.shape[:1], "labels are missing")
    _require(((labels >= 0) & (labels < scores.shape[1])).all(), "a class out of range")
    _require(names is None or len(set(names)) == len(labels), "a sample is twice")
    check_same_samples([file, file])


def _descriptions() -> list[Any]:
    classes = [
        {"label": "sit down", "synonyms": ["take a seat", "be seated"], "head": "down"},
        {"label": "stand up", "synonyms": ["rise"], "head": "up"},
    ]
    head = {"schema": "gap-descriptions/1"}
    return [
        {**head, "dataset": "mine", "classes": classes},
        {**head, "base": "other.yaml", "first": 1},
        {**head, "classes": [{"label": "sit"}], "include": ["other.yaml"]},
    ]


def _read_descriptions(path: Path) -> None:
    path.with_name("other.yaml").write_text(
        "schema: gap-descriptions/1\nclasses: [{label: sit, hand: rests}]\n"
    )
    classes = load_descriptions(path)
    labels = {action.label for action in classes}
    _require(0 < len(labels) == len(classes), "no class, or a label is twice")
    for action in classes:
        for texts in action.fields.values():
            _require(texts and all(text.strip() for text in texts), "an empty text")
            "".join(texts).encode()


def _features() -> list[Any]:
    texts = ["sit down", "stand up"]
    metadata = {"format": FORMAT, "encoder": "none", "texts": json.dumps(texts)}
    metadata["sha256"] = hash_texts(texts)
    files = []
    for kind in (torch.float32, torch.float16, torch.bfloat16):
        data = save({"features": torch.ones(2, 4, dtype=kind)}, metadata)
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        files.append({"header": header, "numbers": list(data[8 + length :])})
    return files


def _dump_features(content: Any) -> bytes:
    if not isinstance(content, dict) or "header" not in content:
        return to_json(content)
    numbers = content.get("numbers")
    data = b"\xff" * 32
    with contextlib.suppress(TypeError, ValueError):
        data = bytes(numbers) if isinstance(numbers, list) else b""
    header = to_json(content["header"])
    return struct.pack("<Q", len(header)) + header + data


def _read_features(path: Path) -> None:
    file = open_features(path)
    features, width = file.read(), file.embed_dims
    _require(features.shape == (len(file.texts), width) and width, "of another shape")
    _require(features.isfinite().all(), "not finite")
    _require(features.dtype == torch.float32, "of another kind")


def _skeletons() -> list[Any]:
    rng = np.random.default_rng(1)
    one, two = rng.normal(size=(2, 25, 3))
    walk = [[("71", one + frame / 50)] for frame in range(13)]
    pair = [[("71", one), ("72", two + frame / 50)] for frame in range(13)]
    frames = [walk, [*pair[:6], [], *walk[6:]]]
    texts = [format_skeleton(frame).decode().split("\n") for frame in frames]
    return [[line.split(" ") for line in text] for text in texts]


def _dump_skeleton(content: Any, between: str = "\n") -> bytes:
    if isinstance(content, list):
        return between.encode().join(_dump_skeleton(line, " ") for line in content)
    with contextlib.suppress(ValueError, RecursionError):
        return str(content).encode()
    return b"9" * 5000


def _read_skeleton(path: Path) -> None:
    data = path.read_bytes()
    for protocol in PROTOCOLS:
        sample = convert_skeleton(data, path.stem, protocol, str(path))
        if sample.annotation is None:
            _require(sample.notes, "there is neither a sample nor a reason")
            continue
        keypoint = sample.annotation["keypoint"]
        persons, frames, *rest = keypoint.shape
        _require(persons in (1, 2) and frames and rest == [25, 3], "of another shape")
        _require(np.isfinite(keypoint).all(), "not finite")


def _sequences() -> list[Any]:
    skeletons = np.random.default_rng(2).normal(size=(2, 20, 3)).round(3).tolist()
    return [{"file_name": _SEQUENCE, "skeletons": skeletons, "label": 1}]


def _read_clips(path: Path) -> None:
    is_archive = path.suffix == ".zip"
    file = [(str(path), path.read_bytes())]
    source = Source(path, ["*.json"]) if is_archive else file
    content, notes = CLIP_SETS["nwucla"].make_annotations(source)
    _require(len(content["annotations"]) + len(notes) > 0, "clips are missing")
    for clip in content["annotations"]:
        keypoint = clip["keypoint"]
        persons, _, *rest = keypoint.shape
        _require(persons == 1 and rest == [20, 3], "of another shape")
        _require(keypoint.dtype == np.float32, "no numbers")
        _require(np.isfinite(keypoint).all(), "not finite")
        _require(0 <= clip["label"] < 10, "of another class")


_KINDS = [getattr(zipfile, f"ZIP_{x}") for x in ("STORED", "DEFLATED", "BZIP2", "LZMA")]


def _archives() -> list[Any]:
    (content,) = _sequences()
    files = {f"all/{_SEQUENCE}.json": to_json(content).decode()}
    return [{"kind": kind, "files": files} for kind in _KINDS]


def _dump_archive(content: Any) -> bytes:
    if not isinstance(content, dict) or not isinstance(content.get("files"), dict):
        return to_json(content)
    stream = io.BytesIO()
    kind = content.get("kind")
    kind = kind if type(kind) is int and kind in _KINDS else zipfile.ZIP_STORED
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, text in content["files"].items():
            data = text.encode("utf-8", "replace") if isinstance(text, str) else b"1"
            archive.writestr(str(name), data)
    return stream.getvalue()


def _dump_pickle(protocol: int) -> Callable[[Any], bytes]:
    def dump(content: Any) -> bytes:
        try:
            return pickle.dumps(content, protocol)
        except (RecursionError, UnicodeEncodeError):
            return pickle.dumps(None)

    return dump


_POSES = _annotations()

TARGETS = {
    "annotation": Target("a.pkl", _POSES, _dump_pickle(5), _read_annotations),
    "annotation-p2": Target("a.pkl", _POSES, _dump_pickle(2), _read_annotations),
    "scores": Target("scores.pkl", _scores(), _dump_pickle(2), _read_scores),
    "descriptions": Target("d.yaml", _descriptions(), to_json, _read_descriptions),
    "features": Target("f.safetensors", _features(), _dump_features, _read_features),
    "skeleton": Target(_NAME, _skeletons(), _dump_skeleton, _read_skeleton),
    "nwucla-json": Target(f"{_SEQUENCE}.json", _sequences(), to_json, _read_clips),
    "nwucla-zip": Target("all.zip", _archives(), _dump_archive, _read_clips),
}


def quiet() -> None:
    MMLogger.get_current_instance().setLevel(logging.ERROR)


def draw_content(target: Target, rng: random.Random) -> bytes:
    content = rng.choice(target.contents)
    for _ in range(rng.choice((1, 1, 2))):
        content = put(content, rng.choice(WRONG_VALUES), rng)
    return target.dump(content)


def damage(target: Target, rng: random.Random) -> bytes:
    wrong = rng.random() < 0.4
    data = draw_content(target, rng) if wrong else rng.choice(target.seeds())
    if wrong and rng.random() < 0.8:
        return data
    return mutate(data, rng.choice(target.seeds()), rng)
