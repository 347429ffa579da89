"""The text beside a published file: what it is, by what the file itself says."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gap_mmaction.models.recognizers.recognizer_gap import TEXT_PREFIX
from gap_mmaction.skeletons.pipeline_layout import find_test_pipeline
from gap_mmaction.utils.config_text import parse_config_text
from gap_mmaction.utils.loader_data import innermost_data
from gap_mmaction.utils.versions import collect_versions

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_NOT_STATED = "not stated"
_VERSION = re.compile(r"^(\d+\.\d+\.\d+(?:rc\d+)?).*")


@dataclass(frozen=True)
class ModelCard:
    """A model card in Markdown.

    Nothing in it is guessed: what neither the checkpoint's meta says nor the caller,
    is not stated.

    Attributes:
        name: What the model is called.
        file: Name of the published file.
        sha256: Of its content.
        size: In bytes.
        source: Name of the checkpoint it was made from.
        meta: The checkpoint's.
        state_dict: What is in the file.
        dropped: Number of tensors left out.
        config: The config file to load it with, if the caller has named it.
        accuracy: A line, if it is known.
        licence: The licence of the weights, if it is known.
    """

    name: str
    file: str
    sha256: str
    size: int
    source: str
    meta: Mapping[str, Any]
    state_dict: Mapping[str, Tensor]
    dropped: int
    config: str | None = None
    accuracy: str | None = None
    licence: str | None = None

    def text(self) -> str:
        """Give the card."""
        text = self.meta.get("cfg")
        settings = self._read(text) if isinstance(text, str) else {}
        lines = [f"# {self.name}", "", "| | |", "|---|---|"]
        lines += [f"| {key} | {_cell(value)} |" for key, value in self._rows(settings)]
        lines += ["", "## Use", "", *self._use(settings)]
        classes = self._classes()
        if classes:
            lines += ["", "## Classes", ""]
            lines += [f"{index}. {name}" for index, name in enumerate(classes)]
        lines += ["", "## Licence", "", *self._licence()]
        return "\n".join(lines) + "\n"

    def _read(self, text: str) -> dict[str, Any]:
        try:
            return parse_config_text(text, self.source)
        except ValueError as error:
            warnings.warn(f"{error}: the card says nothing of it", stacklevel=3)
            return {}

    def _rows(self, settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        yield "file", f"`{self.file}`, {self.size / 2**20:.1f} MiB"
        yield "SHA-256", f"`{self.sha256}`"
        yield from self._model_rows(_dict(settings.get("model")))
        yield "numbers", self._numbers()
        yield from self._data_rows(settings)
        yield "accuracy", self.accuracy or _NOT_STATED
        yield from self._run_rows()
        versions = collect_versions()
        published = f"gap_mmaction {versions['gap_mmaction']}"
        if "commit" in versions:
            commit = versions["commit"]
            published += f", commit `{commit[:12]}`"
            # With a plus where files have been changed since.
            published += " and changes" if commit.endswith("+") else ""
        yield "published with", published + f", torch {versions['torch']}"

    def _model_rows(self, model: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        if not model:
            return
        backbone = _dict(model.get("backbone"))
        head = _dict(model.get("cls_head"))
        preprocessor = _dict(model.get("data_preprocessor"))
        text_branch = model.get("text_branch")
        yield "model", model.get("type", _NOT_STATED)
        yield "backbone", _settings(backbone)
        yield "classes", head.get("num_classes", _NOT_STATED)
        graph = _dict(backbone.get("graph_cfg"))
        layout = preprocessor.get("layout", graph.get("layout", _NOT_STATED))
        if isinstance(layout, dict):
            layout = layout.get("name", "a layout of the config's own")
        yield "joint layout", layout
        if preprocessor.get("type") == "SkeletonDataPreprocessor":
            stream = preprocessor.get("stream", "joint")
            form = preprocessor.get("bone_form")
            yield "stream", stream if form is None else f"{stream}, bones: {form}"
        if text_branch:
            inside = any(key.startswith(TEXT_PREFIX) for key in self.state_dict)
            yield (
                "trained with a text branch",
                "yes; it is in the file" if inside else "yes; it is not in the file",
            )

    def _numbers(self) -> str:
        weights = statistics = 0
        for key, value in self.state_dict.items():
            if key.rpartition(".")[2] in _STATISTICS:
                statistics += value.numel()
            else:
                weights += value.numel()
        text = f"{weights:,} in weights and graphs, {statistics:,} in statistics"
        kinds = {v.dtype for v in self.state_dict.values() if v.is_floating_point()}
        stored = ", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
        text += f"; {len(self.state_dict)} tensors, {stored}"
        return f"{text}, {self.dropped} left out"

    def _data_rows(self, settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for loader, what in (("train", "trained on"), ("test", "test set")):
            dataset = innermost_data(settings.get(f"{loader}_dataloader")).settings
            if not dataset:
                continue
            file = str(dataset.get("ann_file", _NOT_STATED)).replace("\\", "/")
            split = dataset.get("split")
            # Its folder is the machine's it was trained on.
            name = f"`{file.rpartition('/')[2]}`"
            yield what, name if split is None else f"{name}, split `{split}`"
        pipeline = find_test_pipeline(settings)
        if isinstance(pipeline, (list, tuple)):
            yield "test pipeline", ", ".join(f"`{_call(_dict(s))}`" for s in pipeline)

    def _run_rows(self) -> Iterator[tuple[str, Any]]:
        for key, what in (
            ("experiment_name", "run"),
            ("epoch", "epoch"),
            ("iter", "iteration"),
            ("seed", "seed"),
            ("time", "written"),
            ("mmengine_version", "mmengine"),
            ("converted_from", "converted from"),
        ):
            value = self.meta.get(key)
            if key == "mmengine_version":
                # MMEngine appends the commit of whatever repository it is used in.
                value = _VERSION.sub(r"\1", str(value)) if value else None
            if isinstance(value, (str, int, float)):
                yield what, value
        yield "made from", f"`{self.source}`"

    def _use(self, settings: Mapping[str, Any]) -> list[str]:
        config = self.config or "CONFIG"
        lines = [
            "```bash",
            f"python tools/test.py {config} {self.file}",
            "```",
        ]
        if self.config is None:
            lines += [
                "",
                "`CONFIG` is the config of the training run, or one of the same model."
                + (" Its text is in the file's meta." if settings else ""),
            ]
        if self.file.endswith(".pth"):
            lines += ["", "mmaction2's own `tools/test.py` reads the file as well."]
        else:
            lines += [
                "",
                "With `gap_mmaction` imported (by the config's `custom_imports`), "
                "mmengine reads the file wherever it reads a checkpoint.",
            ]
        return lines

    def _licence(self) -> list[str]:
        return [
            f"Of the weights: {self.licence or _NOT_STATED}.",
            "",
            "The code of gap_mmaction is under the Apache License 2.0. The data set "
            "that the weights were trained on has terms of its own, which may bind "
            "the weights.",
        ]

    def _classes(self) -> list[str]:
        dataset_meta = _dict(self.meta.get("dataset_meta"))
        classes = dataset_meta.get("classes") or dataset_meta.get("CLASSES")
        if isinstance(classes, (list, tuple)):
            return [str(name) for name in classes]
        return []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _settings(config: Mapping[str, Any]) -> str:
    """Write a part of a config on a line, without its joints."""
    own = {k: v for k, v in config.items() if k not in ("type", "graph_cfg")}
    return _call({"type": config.get("type", _NOT_STATED), **own})


def _call(config: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{k}={v!r}" for k, v in config.items() if k != "type")
    return f"{config.get('type', _NOT_STATED)}({arguments})"


def _cell(value: Any) -> str:
    """Write a value into a cell of a table."""
    return " ".join(str(value).split()).replace("|", "\\|")
