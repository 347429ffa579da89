"""A project whose trainings take no time: configs, and tools that play their part."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from tools.reproduce import main

CONFIG = """
model = dict(
    backbone=dict(type="CTRGCN", graph_cfg=dict(layout="nw-ucla")),
    text_branch=dict(
        prompts=dict(preset="synonym+parts4"),
        encoder=dict(type="OpenCLIPTextEncoder", model="ViT-B-32", pretrained="openai",
                     frozen=False),
        loss=dict(loss_weight=0.8),
    ),
)
data = dict(ann_file="nwucla.pkl", split="xview_train")
repeated = dict(type="RepeatDataset", times=2, dataset=data)
train_dataloader = dict(batch_size=4, dataset=repeated)
val_dataloader = dict(dataset=dict(ann_file="nwucla.pkl", split="xview_val"))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=20, val_interval=5)
param_scheduler = dict(type="MultiStepLR", begin=0, end=20, milestones=[16, 18])
optim_wrapper = dict(optimizer=dict(type="SGD", lr=0.1))
auto_scale_lr = dict(base_batch_size=4)
"""
TRAIN = """
import json, os, pathlib, re, runpy, sys, time

config, _, work_dir, *_ = sys.argv[1:]
assert "--resume" in sys.argv
work_dir = pathlib.Path(work_dir)


def tell(**line):
    with open(os.environ["FAKE_JOURNAL"], "a") as stream:
        stream.write(json.dumps({"run": str(work_dir.parent), **line}) + "\\n")


last, first = work_dir / "last_checkpoint", 1
if last.is_file():
    first = int(re.search(r"epoch_(\\d+)", last.read_text())[1]) + 1
tell(start=first, pid=os.getpid())
if os.environ.get("FAKE_FAIL", "nothing") in str(work_dir):
    raise ValueError("the loss is not finite")
work_dir.mkdir(exist_ok=True)
for epoch in range(first, runpy.run_path(config)["train_cfg"]["max_epochs"] + 1):
    (work_dir / f"epoch_{epoch}.pth").write_text("weights")
    last.write_text(f"epoch_{epoch}.pth")
    tell(epoch=epoch)
    if os.environ.get("FAKE_HANG", "nothing") in str(work_dir) and epoch == 2:
        time.sleep(600)
"""
# Of 10 samples 5 and as many as the seed says are right.
TEST = """
import json, os, pickle, re, sys

scores = sys.argv[sys.argv.index("--dump") + 1]
right = 5 + int(re.search(r"seed(\\d+)", scores).group(1))
content = []
for sample in range(10):
    chosen = (sample + (sample >= right)) % 2
    content.append({"gt_label": sample % 2, "pred_score": [1.0 - chosen, 1.0 * chosen]})
with open(scores, "wb") as stream:
    pickle.dump(content, stream)
with open(os.environ["FAKE_JOURNAL"], "a") as stream:
    stream.write(json.dumps({"run": os.path.dirname(scores), "test": True}) + "\\n")
"""


class FakeProject:
    """The folders of a project in an empty folder, and what has been run in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.work_dir, self.journal = root, root / "work", root / "journal"
        configs, tools = root / "configs" / "gap", root / "tools"
        configs.mkdir(parents=True)
        tools.mkdir()
        for name in ("", "_cpu", "_bone", "_joint-motion", "_bone-motion"):
            (configs / f"ctrgcn_nwucla{name}.py").write_text(CONFIG)
        (tools / "train.py").write_text(TRAIN)
        (tools / "test.py").write_text(TEST)
        self.data = root / "nwucla.pkl"
        write_annotations(self.data)

    def run(self, *arguments: str, table: str = "1a") -> int:
        argv = ["--table", table, "--data", "nwucla", "--ann-file", str(self.data)]
        return main([*argv, "--work-dir", str(self.work_dir), *arguments], self.root)

    def lines(self) -> list[dict[str, Any]]:
        text = self.journal.read_text() if self.journal.is_file() else ""
        lines = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            line["run"] = str(Path(line["run"]).relative_to(self.work_dir))
        return lines

    def starts(self) -> list[tuple[str, int]]:
        return [(x["run"], x["start"]) for x in self.lines() if "start" in x]


def write_annotations(
    path: Path, performers: int = 10, classes: int = 10, frames: int = 0
) -> None:
    """Writes a data set like NW-UCLA; without frames there are no skeletons."""
    rng, items = np.random.default_rng(0), []
    split: dict[str, list[str]] = {"xview_train": [], "xview_val": []}
    for who, view, label in np.ndindex(performers, 3, classes):
        name = f"a{label + 1:02d}_s{who + 1:02d}_e00_v{view + 1:02d}"
        split["xview_val" if view == 2 else "xview_train"].append(name)
        items.append({"frame_dir": name, "label": label})
        if frames:
            keypoint = rng.normal(size=(1, frames, 20, 3)).astype(np.float32)
            items[-1].update(keypoint=keypoint, total_frames=frames)
    path.write_bytes(pickle.dumps({"split": split, "annotations": items}))
