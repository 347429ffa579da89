"""What TensorBoard does not show of a run, on one HTML page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jinja2 import Environment
from matplotlib.figure import Figure

from gap_mmaction.apis.input_format import InputFormat
from gap_mmaction.evaluation.accuracy import accuracy, confusion_matrix
from gap_mmaction.evaluation.score_file import ScoreFile
from gap_mmaction.skeletons import Skeleton

from .clip_picture import ClipPicture, spread_frames
from .movie_file import write_gif
from .run_figures import draw_confusion
from .skeleton_clip import SkeletonClip, View
from .skeleton_panel import PartColours

# Of a movie; longer clips are shown with every so many frames.
MAX_FRAMES, SECONDS = 24, 2.0

_TEMPLATE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
body { max-width: 1080px; margin: 24px auto; padding: 0 24px;
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
.missing { background: #fff8e6; border: 1px solid #f0deb0; padding: 10px 14px; }
td, th { text-align: left; padding: 3px 24px 3px 0; border-bottom: 1px solid #eceef1; }
img { display: block; max-width: 100%; max-height: 760px; }
.bar { background: #eceef1; width: 220px; }
.bar i { display: block; height: 14px; background: #5a8fc4; }
.clips { display: flex; flex-wrap: wrap; gap: 14px; font-size: 14px; }
.clip { border: 1px solid #eceef1; padding: 12px; width: 310px; }
pre { background: #f6f7f9; padding: 12px; overflow-x: auto; }
</style></head><body>
<h1>{{ title }}</h1>
{% for note in notes %}<p class="missing">{{ note }}</p>{% endfor %}
{% if test %}
<h2>Test</h2><p>{{ test.summary }}</p>
<table>
<tr><th>class, the worst first</th><th>samples</th><th></th><th>right, %</th>
<th>most often taken for</th></tr>
{% for name, samples, right, other, mistakes in test.classes -%}
<tr><td>{{ name }}</td><td>{{ samples }}</td>
<td><div class="bar"><i style="width: {{ right }}%"></i></div></td><td>{{ right }}</td>
<td>{% if mistakes %}{{ other }} ({{ mistakes }}){% endif %}</td></tr>
{% endfor %}</table>
<h2>Confusion</h2><img alt="Confusion matrix" src="{{ test.confusion }}">
<h2>Worst clips</h2><p>{% if clips %}Those that a wrong class is furthest ahead for.
{% else %}Every sample is right.{% endif %}</p>
<div class="clips">
{% for clip in clips -%}
<div class="clip">
{% if clip.movie %}<img alt="{{ clip.label }}" src="{{ clip.movie }}">{% endif %}
{{ clip.name }}<br>{{ clip.score }} <b>{{ clip.label }}</b> (its class)
{% for name, score in clip.top %}<br>{{ score }} {{ name }}{% endfor %}</div>
{% endfor %}</div>
{% endif %}
<h2>Config</h2><pre>{{ config }}</pre>
</body></html>
"""


def render_page(title: str, notes: Sequence[str], config: str, **parts: Any) -> str:
    """Writes the page, which loads and runs nothing; what is put in is escaped.

    Notes say what is left out, and how to come by it. The parts are ``test`` and
    ``clips`` as the functions below return them, or nothing.
    """
    template = Environment(autoescape=True, trim_blocks=True).from_string(_TEMPLATE)
    return template.render(title=title, notes=notes, config=config, **parts)


def describe_test(scores: ScoreFile, names: Sequence[str]) -> dict[str, Any]:
    """Describes a test run: a summary, its classes, the worst first, and confusion."""
    matrix = confusion_matrix(scores.predictions, scores.labels, len(names))
    counts, diagonal = matrix.sum(axis=1), matrix.diagonal()
    wrong = matrix - np.diag(diagonal)
    others, mistakes = wrong.argmax(axis=1), wrong.max(axis=1)
    percent = np.round(100 * diagonal / np.maximum(counts, 1), 1)
    top1, top5, mean = (100 * a for a in accuracy(scores.scores, scores.labels))
    title = f"{diagonal.sum():,} of {counts.sum():,} samples right"
    return {
        "summary": f"{scores.path}: {title}, top-1 {top1:.2f} %, top-5 {top5:.2f} %, "
        f"mean over the classes {mean:.2f} %.",
        "classes": [
            (names[i], counts[i], percent[i], names[others[i]], mistakes[i])
            for i in np.argsort(percent, kind="stable")
            if counts[i]
        ],
        "confusion": _png(draw_confusion(matrix, names, title)),
    }


def describe_worst(
    scores: ScoreFile,
    names: Sequence[str],
    count: int,
    annotations: Mapping[str, Mapping[str, Any]],
    skeleton: Skeleton | None,
) -> list[dict[str, Any]]:
    """Describes up to ``count`` clips, those that a wrong class is furthest ahead for.

    Those are drawn that have an annotation by their name, if their layout is known.
    """
    own = scores.scores[np.arange(len(scores.labels)), scores.labels]
    order = np.argsort(own - scores.scores.max(axis=1), kind="stable")
    clips = []
    for i in order[scores.predictions[order] != scores.labels[order]][:count]:
        name = scores.sample_ids[i] if scores.sample_ids else f"sample {i}"
        label, movie = names[scores.labels[i]], ""
        if skeleton is not None and name in annotations:
            movie = _gif(annotations[name], name, label, skeleton)
        best = np.argsort(-scores.scores[i], kind="stable")[:3]
        top = [(names[c], f"{scores.scores[i, c]:.3f}") for c in best]
        clip = {"name": name, "label": label, "top": top, "movie": movie}
        clips.append({**clip, "score": f"{own[i]:.3f}"})
    return clips


def _gif(
    annotation: Mapping[str, Any], name: str, label: str, skeleton: Skeleton
) -> str:
    has_score = annotation.get("keypoint_score") is not None
    form = InputFormat(skeleton, skeleton.num_coordinates, has_score, False)
    clip = SkeletonClip.from_annotation(form.complete(annotation, name), skeleton)
    colours = PartColours.of(skeleton)
    picture = ClipPicture(clip, View.of(clip), colours, label_name=label)
    frames = spread_frames(clip.num_frames, MAX_FRAMES)
    stream = io.BytesIO()
    movie = picture.movie(frames, height=2.6)
    write_gif(movie, stream, fps=max(len(frames) / SECONDS, 2.0))
    return _data_uri("image/gif", stream)


def _png(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=130, bbox_inches="tight")
    return _data_uri("image/png", stream)


def _data_uri(kind: str, stream: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"
