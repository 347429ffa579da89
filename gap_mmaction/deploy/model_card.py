"""The text beside a published file: what it is, by what the file itself says."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gap_mmaction.models.recognizers.recognizer_gap import TEXT_PREFIX
from gap_mmaction.skeletons.layouts import find_test_pipeline
from gap_mmaction.utils.config_parts import innermost_data, parse_config_text
from gap_mmaction.utils.versions import collect_versions

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_NOT_STATED = "not stated"
# MMEngine appends the commit of whatever repository it is used in.
_COMMIT = re.compile(r"([0-9a-f]{40}|unknown)$")
_RUN_ROWS = {
    "experiment_name": "run",
    "epoch": "epoch",
    "iter": "iteration",
    "seed": "seed",
    "time": "written",
    "mmengine_version": "mmengine",
    "converted_from": "converted from",
}


@dataclass(frozen=True)
class ModelCard:
    """A model card in Markdown, of what the checkpoint's meta and the caller say."""

    name: str  # of the model
    file: str  # name of the published file
    sha256: str
    size: int  # in bytes
    source: str  # name of the checkpoint that it was made from
    meta: Mapping[str, Any]
    state_dict: Mapping[str, Tensor]
    dropped: int  # tensors left out
    config: str | None = None  # file to load it with
    accuracy: str | None = None  # a line, like the licence
    licence: str | None = None  # of the weights

    def text(self) -> str:
        """Returns the card."""
        settings: dict[str, Any] = {}
        if isinstance(self.meta.get("cfg"), str):
            try:
                settings = parse_config_text(self.meta["cfg"], self.source)
            except ValueError as error:
                warnings.warn(f"{error}: the card says nothing of it", stacklevel=3)
        lines = [f"# {self.name}", "", "| | |", "|---|---|"]
        for key, value in self._rows(settings):
            cell = " ".join(str(value).split()).replace("|", "\\|")
            lines.append(f"| {key} | {cell} |")
        lines += ["", "## Use", "", *self._use(bool(settings))]
        dataset_meta = _dict(self.meta.get("dataset_meta"))
        classes = dataset_meta.get("classes") or dataset_meta.get("CLASSES")
        if isinstance(classes, (list, tuple)):
            lines += ["", "## Classes", ""]
            lines += [f"{index}. {name}" for index, name in enumerate(classes)]
        lines += [
            *("", "## Licence", ""),
            f"Of the weights: {self.licence or _NOT_STATED}.",
            "",
            "The code of gap_mmaction is under the Apache License 2.0. The data set "
            "that the weights were trained on has terms of its own, which may bind "
            "the weights.",
        ]
        return "\n".join(lines) + "\n"

    def _rows(self, settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        yield "file", f"`{self.file}`, {self.size / 2**20:.1f} MiB"
        yield "SHA-256", f"`{self.sha256}`"
        model = _dict(settings.get("model"))
        if model:
            yield from self._model_rows(model)
        yield "numbers", self._numbers()
        for loader, what in (("train", "trained on"), ("test", "test set")):
            dataset = innermost_data(settings.get(f"{loader}_dataloader")).settings
            if dataset:
                file = str(dataset.get("ann_file", _NOT_STATED)).replace("\\", "/")
                # Its folder is the machine's it was trained on.
                name = f"`{file.rpartition('/')[2]}`"
                split = dataset.get("split")
                yield what, name if split is None else f"{name}, split `{split}`"
        pipeline = find_test_pipeline(settings)
        if isinstance(pipeline, (list, tuple)):
            yield "test pipeline", ", ".join(f"`{_call(_dict(s))}`" for s in pipeline)
        yield "accuracy", self.accuracy or _NOT_STATED
        for key, what in _RUN_ROWS.items():
            value = self.meta.get(key)
            if key == "mmengine_version" and value:
                value = _COMMIT.sub("", str(value))
            if isinstance(value, (str, int, float)):
                yield what, value
        yield "made from", f"`{self.source}`"
        versions = collect_versions()
        published = f"gap_mmaction {versions['gap_mmaction']}"
        if commit := versions.get("commit"):
            # With a plus where files have been changed since.
            changes = " and changes" if commit.endswith("+") else ""
            published += f", commit `{commit[:12]}`{changes}"
        yield "published with", published + f", torch {versions['torch']}"

    def _model_rows(self, model: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        backbone = _dict(model.get("backbone"))
        preprocessor = _dict(model.get("data_preprocessor"))
        yield "model", model.get("type", _NOT_STATED)
        yield "backbone", _call(backbone, leave_out=("graph_cfg",))
        head = _dict(model.get("cls_head"))
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
        if model.get("text_branch"):
            inside = any(key.startswith(TEXT_PREFIX) for key in self.state_dict)
            where = "it is in the file" if inside else "it is not in the file"
            yield "trained with a text branch", f"yes; {where}"

    def _numbers(self) -> str:
        weights = statistics = 0
        for key, value in self.state_dict.items():
            if key.rpartition(".")[2] in _STATISTICS:
                statistics += value.numel()
            else:
                weights += value.numel()
        kinds = {v.dtype for v in self.state_dict.values() if v.is_floating_point()}
        stored = ", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
        return (
            f"{weights:,} in weights and graphs, {statistics:,} in statistics; "
            f"{len(self.state_dict)} tensors, {stored}, {self.dropped} left out"
        )

    def _use(self, has_settings: bool) -> Iterator[str]:
        command = f"python tools/test.py {self.config or 'CONFIG'} {self.file}"
        yield from ("```bash", command, "```", "")
        if self.config is None:
            also = " Its text is in the file's meta." if has_settings else ""
            yield f"`CONFIG` is that of the training run or of the same model.{also}"
            yield ""
        if self.file.endswith(".pth"):
            yield "mmaction2's own `tools/test.py` reads the file as well."
        else:
            yield (
                "With `gap_mmaction` imported (by the config's `custom_imports`), "
                "mmengine reads the file wherever it reads a checkpoint."
            )


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _call(config: Mapping[str, Any], leave_out: tuple[str, ...] = ()) -> str:
    """Writes a part of a config on a line."""
    own = {k: v for k, v in config.items() if k not in ("type", *leave_out)}
    arguments = ", ".join(f"{k}={v!r}" for k, v in own.items())
    return f"{config.get('type', _NOT_STATED)}({arguments})"
