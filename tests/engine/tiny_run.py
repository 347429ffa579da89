"""A training run of a second or two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config

from gap_mmaction.datasets.synthetic import write_synthetic

ROOT = Path(__file__).resolve().parents[2]


def tiny_config(folder: Path, epochs: int = 3, **options: Any) -> Config:
    """Returns the embedded config, made as small as can be, with all that is random.

    An epoch has 3 steps; options are settings, with ``__`` in place of the dots.
    """
    data = folder / "tiny.pkl"
    if not data.exists():
        write_synthetic(data, num_performers=3, num_train_performers=2, repetitions=1)
    config = Config.fromfile(ROOT / "configs/gap/ctrgcn_synthetic.py")
    pipeline = config.train_dataloader.dataset.pipeline
    for transform in pipeline:
        if "clip_len" in transform:
            transform["clip_len"] = 8
    pipeline.insert(-2, dict(type="RandomRotation3D", max_angle=0.3))
    for loader in ("train", "val", "test"):
        config[f"{loader}_dataloader"].dataset.ann_file = str(data)
        config[f"{loader}_dataloader"].batch_size = 16
    # Twice, for repeated samples: 40 clips, the last batch half full.
    config.train_dataloader.dataset = dict(
        type="RepeatDataset", times=2, dataset=config.train_dataloader.dataset
    )
    config.merge_from_dict(
        {
            **{"model.backbone.base_channels": 4, "model.backbone.num_stages": 2},
            **{f"model.backbone.{x}_stages": [2] for x in ("inflate", "down")},
            **{"model.cls_head.in_channels": 8, "model.cls_head.dropout": 0.5},
            "train_cfg.max_epochs": epochs,
            "work_dir": str(folder / "run"),
            "randomness": {"seed": 3},
            "launcher": "none",
            "experiment_name": f"tiny_{folder.name}",
            **{name.replace("__", "."): value for name, value in options.items()},
        }
    )
    return config
