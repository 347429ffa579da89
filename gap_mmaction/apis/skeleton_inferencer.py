"""Names the actions of skeleton sequences."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import Compose
from torch import Tensor

from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.models.text.text_encoder import TextEncoder
from gap_mmaction.skeletons.layouts import find_test_pipeline
from gap_mmaction.utils.command_line import ConfigSource, read_config
from gap_mmaction.utils.shipped_models import find_shipped_model

from .input_format import InputFormat
from .input_reader import InputReader, are_pose_results
from .part_similarity import PartSimilarity
from .tracks import complete_tracks
from .trained_model import build_model, load_model, read_content
from .unknown import META_KEY, Unknown

_FRAMES_A_SECOND = 30.0  # where a recording does not tell


@dataclass(frozen=True)
class SkeletonResult:
    """The classes of one sequence, most likely first.

    Scores are probabilities, averaged over the clips, unless
    ``model.cls_head.average_clips`` says otherwise.
    """

    name: str  # of the sequence's annotation or file, or its number
    label: int  # the most likely class
    label_name: str
    score: float
    top_labels: tuple[int, ...]  # the k most likely classes
    top_names: tuple[str, ...]
    top_scores: tuple[float, ...]
    scores: np.ndarray  # of all classes, float32 [classes]
    parts: tuple[str, ...] = ()  # names of the K slots, with part similarity
    # Cosines of the parts and the texts of the classes, float32 [K, classes].
    part_similarity: np.ndarray | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the result as lists, numbers and strings, e.g. for JSON."""
        keys = ("label", "label_name", "score")
        top = zip(self.top_labels, self.top_names, self.top_scores)
        result: dict[str, Any] = {
            "name": self.name,
            "label": self.label,
            "label_name": self.label_name,
            "score": self.score,
            "top": [dict(zip(keys, values)) for values in top],
            "scores": self.scores.tolist(),
        }
        if self.part_similarity is not None:
            rows = self.part_similarity.tolist()
            result["part_similarity"] = dict(zip(self.parts, rows))
        return result


class SkeletonInferencer:
    """Names the actions of sequences, by a config and a checkpoint of it.

    Sequences go through the config's own test pipeline, several clips of each where it
    takes several, so that the scores are those of ``tools/test.py``. The text side is
    neither built nor imported, unless part similarity is asked for.

    Args:
        config: Path of the config, or the config, which is left as it is. A config is
            code: use those that you trust. Without a checkpoint the name of a model
            that ships.
        checkpoint: The checkpoint, a path or URL; read with ``weights_only``.
        device: Where the model runs.
        labels: Names of the classes; by default those of the config's description
            file, or, without one, the indices.
        batch_size: Sequences that go through the model together.
        top_k: How many of the most likely classes a result lists.
        ntu_protocol: How raw files of NTU RGB+D are cleaned, ``"reference"`` or
            ``"clean"``: as the training data were.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If config, checkpoint and labels do not fit one another.

    Examples:
        >>> inferencer = SkeletonInferencer('nwucla')
        >>> inferencer('a02_s03_e01_v03.json')[0].label_name
        'pick up with two hands'
        >>> len(inferencer('data/nwucla.pkl', split='xview_val'))
        464
    """

    def __init__(
        self,
        config: ConfigSource,
        checkpoint: str | os.PathLike[str] | None = None,
        device: str | torch.device = "cpu",
        labels: Sequence[str] | None = None,
        batch_size: int = 32,
        top_k: int = 5,
        ntu_protocol: str = "reference",
    ) -> None:
        for key, value in (("batch_size", batch_size), ("top_k", top_k)):
            if value < 1:
                raise ValueError(f"{key}={value}, must be 1 or more")
        if checkpoint is None:
            name = str(getattr(config, "filename", config))
            config, checkpoint = find_shipped_model(name)
        self.config = read_config(config)
        self.checkpoint = checkpoint
        try:
            self.device = torch.device(device)
        except RuntimeError as error:
            raise ValueError(f"device={device!r}: {error}") from error
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device={device!r}: torch finds no CUDA here; use 'cpu'")
        self.batch_size = batch_size
        self.top_k = top_k
        self.format = InputFormat.from_config(self.config)
        num_classes = self.config.model.cls_head.num_classes
        if labels is None:
            branch = self.config.model.get("text_branch") or {}
            descriptions = (branch.get("prompts") or {}).get("descriptions")
            labels = load_class_names(descriptions, num_classes)
        elif isinstance(labels, str) or len(labels) != num_classes:
            raise ValueError(
                f"labels: {len(labels)} names of classes, but the model has "
                f"{num_classes} (model.cls_head.num_classes); give a list with one for "
                "each, in order"
            )
        self.labels = tuple(labels)
        self._reader = InputReader(self.format, num_classes, ntu_protocol)
        content, name = read_content(checkpoint), os.fspath(checkpoint)
        self._model: Any = build_model(self.config, content, name, self.device)
        told = (content.get("meta") or {}).get(META_KEY)
        self.unknown = None if told is None else Unknown.read(told, name)
        # After the model, which sets the scope that names are looked up in.
        steps = find_test_pipeline(self.config)
        self._pipeline = Compose([TRANSFORMS.build(step) for step in steps])
        self._similarity: PartSimilarity | None = None
        self._class_features: Tensor | None = None

    def __call__(
        self,
        inputs: Any,
        *,
        part_similarity: bool = False,
        img_shape: tuple[int, int] | None = None,
        split: str | None = None,
    ) -> list[SkeletonResult]:
        """Names the actions of sequences.

        Args:
            inputs: One input or a list of them, of which each is an array ``[T, V, C]``
                or ``[M, T, V, C]`` (x, y, z in 3D; x, y and a confidence in 2D), an
                annotation as PYSKL and mmaction2 have it (a dict with ``keypoint``
                and, in 2D, ``keypoint_score``), mmpose's results (a list over the
                frames of dicts with ``keypoints`` ``[M, V, 2]`` and
                ``keypoint_scores`` ``[M, V]``), or the path of a file of such or of a
                raw recording, see docs/inference.md.
            part_similarity: Whether to compare the parts of the body with the texts of
                the classes, for which the checkpoint must have kept its text branch.
            img_shape: Height and width of the pictures that 2D joints were found in,
                for inputs that do not tell.
            split: Of annotation files with splits, the one to take.

        Raises:
            FileNotFoundError: If a file is not there.
            pickle.UnpicklingError: If a pickle asks for more than arrays, containers,
                numbers and strings.
            TypeError: If an input is of no known form.
            ValueError: If one is broken or does not fit the config, or there is no text
                branch for part similarity.
        """
        if part_similarity:
            self.load_text_branch()
        results: list[SkeletonResult] = []
        waiting: list[dict[str, Any]] = []
        # The frames of mmpose's results are one input.
        if not isinstance(inputs, (list, tuple)) or are_pose_results(inputs):
            inputs = [inputs]
        for index, source in enumerate(inputs):
            is_path = isinstance(source, (str, os.PathLike))
            name = os.fspath(source) if is_path else f"input {index}"
            for annotation in self.read(source, name, split, img_shape):
                waiting.append(self.prepare(annotation, img_shape, name))
                if len(waiting) == self.batch_size:
                    results += self.predict(waiting, part_similarity)
                    waiting = []
        return results + self.predict(waiting, part_similarity)

    def read(
        self,
        source: Any,
        name: str,
        split: str | None = None,
        img_shape: tuple[int, int] | None = None,
    ) -> list[dict[str, Any]]:
        """Reads one input, as yet unchecked; see :meth:`.InputReader.read`."""
        return self._reader.read(source, name, split, img_shape)

    def prepare(
        self,
        annotation: Mapping[str, Any],
        img_shape: tuple[int, int] | None = None,
        where: str = "",
    ) -> dict[str, Any]:
        """Checks an annotation of :meth:`read` and runs the test pipeline on it.

        Of what a pose estimator found it takes the persons who act, with lost joints
        filled in, as timelines do.

        Returns ``name``, ``inputs`` ``[clips, M, T, V, C]`` and ``data_samples``.
        """
        name = str(annotation.get("frame_dir") or "the annotation")
        spot = name if name.startswith(where) else f"{where}: {name}"
        if annotation.get("is_estimated"):
            annotation = self._complete(annotation)
        complete = self.format.complete(
            {**annotation, "frame_dir": name}, spot, img_shape
        )
        try:
            return {"name": name, **self._pipeline(complete)}
        except Exception as error:  # transforms raise whatever they like
            raise ValueError(
                f"{spot}: the config's test pipeline fails on it "
                f"({type(error).__name__}: {error})"
            ) from error

    def _complete(self, annotation: Mapping[str, Any]) -> dict[str, Any]:
        """Returns an annotation of the persons who act, with lost joints filled in."""
        scores = np.asarray(annotation["keypoint_score"])[..., None]
        tracks = np.concatenate([annotation["keypoint"], scores], axis=-1)
        times = annotation.get("times")
        if times is None:
            times = np.arange(tracks.shape[1]) / _FRAMES_A_SECOND
        tracks = complete_tracks(tracks, self.format.num_person, times, times)
        told = {"keypoint": tracks[..., :-1], "keypoint_score": tracks[..., -1]}
        return {**annotation, **told}

    @torch.no_grad()
    def predict(
        self, samples: Sequence[Mapping[str, Any]], part_similarity: bool = False
    ) -> list[SkeletonResult]:
        """Runs the model on sequences as :meth:`prepare` returns them, all at once."""
        if not samples:
            return []
        data = {key: [s[key] for s in samples] for key in ("inputs", "data_samples")}
        similarities: list[Any] = [None] * len(samples)
        if part_similarity:
            similarity = self.load_text_branch()
            model: Any = similarity.model
            data = model.data_preprocessor(data, False)
            features, _ = model.extract_feat(data["inputs"])
            outputs = model.cls_head.predict(features, data["data_samples"])
            parts = similarity.project(features, data["inputs"].shape[1])
            if self._class_features is None:
                self._class_features = similarity.class_features()
            cosines = similarity.compare(parts, self._class_features)
            similarities = list(cosines.cpu().numpy())
        else:
            outputs = self._model.test_step(data)
        return [
            self._result(sample["name"], output.pred_score, cosine)
            for sample, output, cosine in zip(samples, outputs, similarities)
        ]

    def load_text_branch(self, encoder: TextEncoder | None = None) -> PartSimilarity:
        """Loads the checkpoint with its text branch, once.

        An ``encoder`` is for other texts, see :class:`PartSimilarity`.
        """
        if self._similarity is None or encoder is not None:
            if self._similarity is None:
                self._model = load_model(
                    self.config, self.checkpoint, self.device, text_branch=True
                )
            self._similarity = PartSimilarity(self._model, encoder)
        return self._similarity

    def _result(self, name: str, scores: Tensor, similarity: Any) -> SkeletonResult:
        # With average_clips=None there is a row per clip.
        scores = scores.float().reshape(-1, len(self.labels)).mean(0).cpu()
        if not scores.isfinite().all():
            raise ValueError(
                f"{name}: its scores are not finite; so are the weights of "
                f"{self.checkpoint}, or the sequence's coordinates are too large"
            )
        top = scores.topk(min(self.top_k, len(scores)))
        labels, values = tuple(top.indices.tolist()), tuple(top.values.tolist())
        return SkeletonResult(
            name=name,
            label=labels[0],
            label_name=self.labels[labels[0]],
            score=values[0],
            top_labels=labels,
            top_names=tuple(self.labels[label] for label in labels),
            top_scores=values,
            scores=scores.numpy(),
            parts=() if similarity is None else self.load_text_branch().parts,
            part_similarity=similarity,
        )
