"""SafePoseDataset: skeleton annotations, read safely and checked."""

from __future__ import annotations

import logging
import os.path as osp
import re
from collections import Counter
from typing import Any, Callable

import numpy as np
from mmaction.datasets import PoseDataset
from mmaction.registry import DATASETS
from mmengine.logging import print_log

from gap_mmaction.datasets.annotation_check import (
    AnnotationCheck,
    name_of,
    persons_taken,
    scales_by_picture,
)
from gap_mmaction.skeletons import get_skeleton
from gap_mmaction.skeletons.layouts import fill_layout
from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.randomness import derive_seed
from gap_mmaction.utils.restricted_pickle import load_annotations

_MOST_SHOWN = 5
_PURPOSE = 3  # apart from what else is drawn by a seed


@DATASETS.register_module()
class SafePoseDataset(PoseDataset):
    """Stock ``PoseDataset`` that reads safely and says what is wrong with the data.

    It takes the same annotation files: a pickle of ``dict(split={name: [frame_dir]},
    annotations=[dict(frame_dir, label, total_frames, keypoint)])`` with ``keypoint``
    of shape ``[M, T, V, C]`` (persons, frames, joints, coordinates), or, without
    ``split``, a list of such annotations. Nothing in the file is run, and all that is
    wrong with its sequences is said at once, see :class:`AnnotationCheck`; with
    ``data_prefix['skeleton']`` each is checked as it is used.

    Args:
        ann_file: Path to the annotation file.
        split: Name of the split to use; None for files that are a list.
        layout: Joint layout of the data, a name or a dict, see ``get_skeleton``. The
            data must have its number of joints and of coordinates, and transforms that
            take a ``layout`` have it from here. None: not checked.
        samples_per_class: Takes only so many sequences of each class, drawn at random;
            of a class that has fewer, all. The draw depends on the seed, the class and
            the names of its sequences alone, and those of a smaller number are among
            those of a larger one. None: all sequences.
        subset_seed: Seed of that draw.
        **kwargs: Further arguments of ``PoseDataset`` (``num_classes``, below which
            labels must lie, ``multi_class``, ``data_prefix``, ``test_mode``,
            ``valid_ratio``, ``box_thr``, ``start_index``) and ``BaseDataset``.

    Raises:
        pickle.UnpicklingError: If the file asks for more than containers, numbers,
            strings and numpy arrays.
        KeyError: If the split is not in the file.
        ValueError: If annotations are wrong; the message names them.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: list[dict[str, Any] | Callable[..., Any]],
        split: str | None = None,
        layout: str | dict[str, Any] | None = None,
        samples_per_class: int | None = None,
        subset_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        for name, value, least in (
            ("samples_per_class", samples_per_class, 1),
            ("subset_seed", subset_seed, 0),
        ):
            if value is not None and (type(value) is not int or value < least):
                raise ValueError(
                    f"ann_file '{ann_file}': {name}={value!r} is no integer of at "
                    f"least {least}"
                )
        if samples_per_class is not None and kwargs.get("multi_class"):
            raise ValueError(
                f"ann_file '{ann_file}': samples_per_class needs one label for each "
                "sequence; leave it out with multi_class=True"
            )
        if kwargs.get("data_prefix") is None:
            kwargs["data_prefix"] = {"prefix": ""}
        self._samples_per_class = samples_per_class
        self._subset_seed = subset_seed
        skeleton = None if layout is None else get_skeleton(layout)
        self._check = AnnotationCheck(
            skeleton=skeleton,
            num_coordinates=None if skeleton is None else skeleton.num_coordinates,
            has_score=None,
            needs_img_shape=any(map(scales_by_picture, pipeline)),
            num_person=persons_taken(pipeline),
        )
        super().__init__(ann_file, fill_layout(pipeline, layout), split, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Reads and checks the annotations of the split."""
        data_list = self._select(load_annotations(self.ann_file))
        wrong: dict[str, list[str]] = {}
        for index, item in enumerate(data_list):
            try:
                read = {**item, "label": self._read_label(item.get("label"))}
                # With data_prefix['skeleton'] the arrays are in files of their own.
                is_whole = "skeleton" not in self.data_prefix
                data_list[index] = self._read(read) if is_whole else read
            except ValueError as error:
                wrong.setdefault(str(error), []).append(name_of(item))
        bare = [name_of(x) for x in data_list if x.get("keypoint_score") is None]
        scored = len(data_list) - len(bare)
        if not wrong and bare and scored:
            problem = f"has no 'keypoint_score' [M, T, V], {scored} other sequences do"
            wrong[f"{problem}; where no confidence is known, give ones"] = bare
        self._refuse(wrong, len(data_list))
        if self._samples_per_class is not None:
            data_list = self._draw(data_list, self._samples_per_class)
        for item in data_list:
            for key in ("filename", "frame_dir"):
                if "video" in self.data_prefix and key in item:
                    item[key] = osp.join(self.data_prefix["video"], item[key])
        return data_list

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Returns a copy of an annotation, checked now if it has a file of its own."""
        # Not through PoseDataset, which reads single files with a plain pickle.load.
        info: dict[str, Any] = super(PoseDataset, self).get_data_info(idx)
        if "skeleton" in self.data_prefix:
            path = osp.join(self.data_prefix["skeleton"], f"{name_of(info)}.pkl")
            content = load_annotations(path)
            if not isinstance(content, dict):
                raise ValueError(
                    f"'{path}': holds a {type(content).__name__} where a dict with "
                    "'keypoint' is needed; make the file anew"
                )
            try:
                info = self._read({**info, **content})
            except ValueError as error:
                raise ValueError(f"'{path}': {error}") from error
        return info

    def _draw(self, data_list: list[dict[str, Any]], size: int) -> list[dict[str, Any]]:
        """Draws sequences of each class; the order is that of classes and names."""
        classes: dict[int, list[dict[str, Any]]] = {}
        for item in sorted(data_list, key=name_of):
            classes.setdefault(item["label"], []).append(item)
        drawn, short = [], []
        for label, items in sorted(classes.items()):
            words = derive_seed(_PURPOSE, self._subset_seed, label)
            order = np.random.default_rng(words).permutation(len(items))
            drawn += [items[index] for index in sorted(order[:size])]
            if len(items) < size:
                short.append(f"{label} ({len(items)})")
        if short:
            self._warn(
                f"samples_per_class={size} is more than these classes have, all of "
                f"which is taken: {', '.join(short)}"
            )
        return drawn

    def _select(self, content: Any) -> list[dict[str, Any]]:
        """Takes the annotations of the split out of the content of the file."""
        names, annotations = None, content
        if not isinstance(content, list) or self.split is not None:
            if not isinstance(content, dict) or "annotations" not in content:
                raise self._fault(
                    f"it holds a {type(content).__name__}, and split={self.split!r} is "
                    "set; a dict with the keys 'split' and 'annotations' is needed, "
                    "or, with split=None, a list of annotations"
                )
            annotations = self._list(content["annotations"], "'annotations'")
            names = self._names(content.get("split", {}))
        for index, item in enumerate(annotations):
            name = name_of(item) if isinstance(item, dict) else None
            if not isinstance(name, str):
                problem = "no key" if name is None else f"{brief(name)} for its"
                raise self._fault(
                    f"annotation {index} has {problem} 'frame_dir'; each must be a "
                    "dict with frame_dir, label, total_frames and keypoint"
                )
        if names is not None:
            annotations = [item for item in annotations if name_of(item) in names]
        if not annotations:
            raise self._fault(f"no sequence in split {self.split!r}")
        counts = Counter(name_of(item) for item in annotations)
        twice = sorted(name for name, count in counts.items() if count > 1)
        absent = sorted((names or set()) - set(counts))
        for found, what in ((twice, "stand there twice"), (absent, "are not there")):
            if found:
                self._warn(f"{len(found)} sequences {what}, the first is '{found[0]}'")
        return annotations

    def _names(self, splits: Any) -> set[str]:
        """Takes the names of the split's sequences out of the file's splits."""
        if not isinstance(splits, dict):
            raise self._fault(f"'split' is {brief(splits)}, not a dict of lists")
        if self.split not in splits:
            raise KeyError(
                f"ann_file '{self.ann_file}': no split {self.split!r}; set 'split' to "
                f"one of {', '.join(sorted(map(str, splits))) or '(there is none)'}"
            )
        names = self._list(splits[self.split], f"split {self.split!r}")
        for name in names:
            if not isinstance(name, str):
                problem = f"split {self.split!r} has {brief(name)} among its names"
                raise self._fault(f"{problem}, which must be the frame_dir of each")
        return set(names)

    def _list(self, value: Any, what: str) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise self._fault(f"{what} is {brief(value)}, not a list")
        return list(value)

    def _fault(self, problem: str) -> ValueError:
        return ValueError(f"ann_file '{self.ann_file}': {problem}; make the file anew")

    def _where(self) -> str:
        return f"ann_file '{self.ann_file}', split {self.split!r}"

    def _warn(self, message: str) -> None:
        print_log(f"{self._where()}: {message}", "current", logging.WARNING)

    def _read(self, item: dict[str, Any]) -> dict[str, Any]:
        # Frames of a video are named by their numbers, so that none may go.
        return self._check.read(item, trim_frames="video" not in self.data_prefix)

    def _read_label(self, label: Any) -> int | list[int]:
        """Reads a label, of any kind of integer."""
        if label is None:
            raise ValueError("'label' is missing; add the 0-based class index")
        try:
            labels = np.asarray(label)
        except (ValueError, OverflowError, RecursionError):  # lists of unequal length
            labels = np.asarray("")
        limit = self.num_classes
        if labels.dtype.kind not in "iu" or labels.ndim != int(self.multi_class):
            expected = "a list of integers" if self.multi_class else "an integer"
        elif (labels < 0).any() or (limit is not None and (labels >= limit).any()):
            expected = "0 or more" if limit is None else f"in 0..{limit - 1}"
        else:
            read: int | list[int] = labels.tolist()
            return read
        raise ValueError(
            f"label={brief(label)} is not {expected}; give the 0-based class index, or "
            "correct 'num_classes'"
        )

    def _refuse(self, wrong: dict[str, list[str]], count: int) -> None:
        """Raises an error that names the sequences that cannot be used, if any."""
        if not wrong:
            return
        # Problems that differ in their numbers alone are one; the first one is shown.
        kinds: dict[str, tuple[str, list[str]]] = {}
        for problem, names in wrong.items():
            kind = re.sub(r"\d+", "#", problem)
            kinds.setdefault(kind, (problem, []))[1].extend(names)
        lines = []
        for problem, names in list(kinds.values())[:_MOST_SHOWN]:
            shown = ", ".join(f"'{name}'" for name in names[:_MOST_SHOWN])
            more = len(names) - _MOST_SHOWN
            lines.append(f"{shown}{f' and {more} more' if more > 0 else ''}: {problem}")
        if len(kinds) > _MOST_SHOWN:
            lines.append(f"and {len(kinds) - _MOST_SHOWN} more kinds of faults")
        number = sum(map(len, wrong.values()))
        raise ValueError(
            f"{self._where()}: {number} of {count} sequences cannot be used:\n  "
            + "\n  ".join(lines)
        )
