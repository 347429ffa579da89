"""tools/report.py: what is on the page, what is escaped, and what is left out."""

from __future__ import annotations

import base64
import io
import pickle
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gap_mmaction.models.text.descriptions import write_descriptions
from tests.evaluation.files import dump, epochs, write_run
from tests.visualization.clips import standing
from tools.report import main

EVIL = "<script>document.title='run'</script>"
CONFIG = """\
model = dict(data_preprocessor=dict(layout='nw-ucla', stream='joint'))
test_dataloader = dict(dataset=dict(ann_file='none.pkl', split='val'))
note = '</pre><script>alert(1)</script>'
"""
LABELS = np.array([0, 1, 2, 0, 1, 2])
NAMES = [f'a{i}"><img src=x onerror=alert(1)>' for i in range(6)]


class Page(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text("utf-8"))
        self.images = [
            Image.open(io.BytesIO(base64.b64decode(str(a["src"]).split(",")[1])))
            for tag, a in self.tags
            if tag == "img"
        ]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of a name with a tag in it, tested later with another config."""
    folder = tmp_path / "<i>run"
    log = write_run(folder, epochs(1, 4, loss=2.0))
    (log.parent / "config.py").write_text(CONFIG)
    tested = folder / "20990101_000000" / "vis_data" / "config.py"
    tested.parent.mkdir(parents=True)
    for path in (tested, folder / "own.py"):
        path.write_text("model = dict(text_branch=None)")
    return folder


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Six samples, of which 1, 2 and 5 are wrong; names with tags in them."""
    scores = np.full((6, 3), 0.1, np.float32)
    scores[np.arange(6), [0, 0, 1, 0, 1, 1]] = [0.8, 0.5, 0.9, 0.8, 0.8, 0.7]
    path = dump(tmp_path / "scores.pkl", scores, LABELS, NAMES)
    classes = [{"label": label} for label in ("sit", EVIL, "dollar $\\frac$")]
    write_descriptions(tmp_path / "labels.yaml", "made", classes)
    write_annotations(tmp_path / "ann.pkl")
    labels = ["--labels", str(tmp_path / "labels.yaml")]
    return ["--scores", path, "--ann-file", str(tmp_path / "ann.pkl"), *labels]


def write_annotations(path: Path, labels: np.ndarray = LABELS) -> None:
    items = [
        {"frame_dir": name, "label": int(label), "keypoint": standing(frames=4 + i)}
        for i, (name, label) in enumerate(zip(NAMES, labels))
    ]
    path.write_bytes(pickle.dumps({"split": {"val": NAMES}, "annotations": items}))


def make_page(run: Path, *options: str) -> Page:
    out = run.parent / "new" / "report.html"
    assert main([str(run), *options, "--out", str(out)]) == 0
    return Page(out)


def test_whole_page(run: Path, options: list[str]) -> None:
    page = make_page(run, *options)
    kinds = [(image.format, getattr(image, "n_frames", 1)) for image in page.images]
    # Confusion, and samples 2, 5 and 1 of as many frames as they have.
    assert kinds == [("PNG", 1), ("GIF", 6), ("GIF", 9), ("GIF", 5)]
    words = ("50.00 %", "</pre><script>", EVIL, NAMES[2], "dollar $\\frac$", "<i>run")
    assert all(word in page.text for word in words)
    bars = [a["style"] for tag, a in page.tags if tag == "i"]
    assert bars == ["width: 0.0%", "width: 50.0%", "width: 100.0%"]
    assert len(make_page(run, *options, "--clips", "1").images) == 2
    # What is missing is said.
    page = make_page(run, *options[:2])
    assert "--ann-file names what was tested on" in page.text
    assert len(page.images) == 1
    page = make_page(run)
    assert "--scores scores.pkl" in page.text and not page.images


def test_page_loads_and_runs_nothing(run: Path, options: list[str]) -> None:
    page = make_page(run, *options, "--title", EVIL)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "iframe", "object", "embed", "a", "form", "base"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href"):
            assert str(attributes.get(name, "data:")).startswith("data:"), tag
    (policy,) = [a["content"] for tag, a in page.tags if "http-equiv" in a]
    assert policy is not None and policy.startswith("default-src 'none'")


def test_scores_without_names(
    run: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """They are those of the split tested on, if the labels agree."""
    dump(Path(options[1]), np.eye(3, dtype=np.float32)[LABELS * 0], LABELS)
    images = make_page(run, *options).images
    assert [image.format for image in images] == ["PNG", *["GIF"] * 4]
    write_annotations(Path(options[3]), LABELS[::-1])
    for arguments, message in (
        ([str(run), *options], "has no names of samples"),
        ([str(run.parent / "none")], "none: no config of a run"),
    ):
        assert main([*arguments, "--out", str(run / "a.html")]) == 1
        assert message in capsys.readouterr().err
    assert not (run / "a.html").exists()
