"""The page's HTML, as a Jinja2 template that escapes whatever is put in."""

TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<link rel="icon" href="data:,">
<title>{{ title }}</title>
<style>
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f5f7; color: #1d2129;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial,
  "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 28px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 0 0 12px; }
h3 { font-size: 15px; margin: 20px 0 8px; }
p { margin: 0 0 10px; }
.sub { color: #5b6472; margin-bottom: 20px; overflow-wrap: anywhere; }
section { background: #fff; border: 1px solid #e1e4e8; border-radius: 10px;
  padding: 20px 22px; margin: 0 0 18px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr));
  gap: 12px; margin: 0 0 18px; }
.tile { background: #fff; border: 1px solid #e1e4e8; border-radius: 10px;
  padding: 12px 16px; }
.tile b { display: block; font-size: 24px; line-height: 1.3; font-weight: 600; }
.tile span { color: #5b6472; font-size: 13px; }
.missing { color: #6a4a00; background: #fff8e6; border: 1px solid #f0deb0;
  border-radius: 8px; padding: 10px 14px; margin: 0 0 10px; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid #eceef1;
  vertical-align: top; overflow-wrap: anywhere; }
th { color: #5b6472; font-weight: 600; }
td.n, th.n { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
table.facts th { width: 150px; }
img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.bar { background: #eceef1; border-radius: 3px; height: 14px; min-width: 160px;
  margin-top: 4px; }
.bar i { display: block; height: 14px; border-radius: 3px; background: #5a8fc4; }
.bar i.low { background: #d98a5b; }
.clips { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr));
  gap: 14px; }
.clip { border: 1px solid #eceef1; border-radius: 8px; padding: 12px; font-size: 14px;
  overflow-wrap: anywhere; }
.clip img { height: 240px; width: 100%; object-fit: contain; margin-bottom: 8px; }
.clip .name { color: #5b6472; font-size: 12px; }
.clip ul { margin: 4px 0 0; padding: 0; list-style: none; }
.clip li { display: flex; justify-content: space-between; gap: 12px; }
.wrong { color: #a83a1f; } .right { color: #21713a; }
.legend span { display: inline-block; margin-right: 16px; font-size: 13px; }
.legend i { display: inline-block; width: 14px; height: 10px; border-radius: 2px;
  margin-right: 5px; }
details { margin-top: 12px; }
summary { cursor: pointer; color: #2b5c93; }
pre { font: 12.5px/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  background: #f6f7f9; border-radius: 8px; padding: 12px 14px; overflow-x: auto;
  margin: 10px 0 0; }
code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: 0.9em; }
footer { color: #5b6472; font-size: 13px; }
@media print { body { background: #fff; } section { break-inside: avoid; } }
</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
<p class="sub">{{ subtitle }}</p>

{% if tiles %}<div class="tiles">
{% for tile in tiles -%}
<div class="tile"><b>{{ tile.value }}</b><span>{{ tile.name }}</span></div>
{% endfor %}</div>{% endif %}

<section id="curves">
<h2>Curves</h2>
{% if curves %}<img alt="Loss and accuracy over the epochs" src="{{ curves }}">
{% else %}<p class="missing">{{ problems.curves }}</p>{% endif %}
{% if final %}
<h3>Final numbers</h3>
<div class="scroll"><table>
<tr><th>quantity</th><th class="n">last</th><th class="n">best</th>
<th class="n">at {{ unit }}</th></tr>
{% for row in final -%}
<tr><td>{{ row.name }}</td><td class="n">{{ row.last }}</td>
<td class="n">{{ row.best }}</td><td class="n">{{ row.at }}</td></tr>
{% endfor %}</table></div>{% endif %}
</section>

<section id="test">
<h2>Test</h2>
{% if test %}
<p>{{ "{:,}".format(test.count) }} samples of {{ source }}: top-1
{{ "%.2f" | format(100 * test.accuracy.top1) }} %, top-5
{{ "%.2f" | format(100 * test.accuracy.top5) }} %, mean over the classes
{{ "%.2f" | format(100 * test.accuracy.mean_class) }} %.</p>
<h3>By class, the worst first</h3>
<div class="scroll"><table>
<tr><th>class</th><th class="n">samples</th><th></th><th class="n">right, %</th>
<th>most often taken for</th></tr>
{% for item in test.classes -%}
<tr><td>{{ item.name }}</td><td class="n">{{ "{:,}".format(item.count) }}</td>
<td><div class="bar"><i {% if item.percent < low %}class="low" {% endif -%}
style="width: {{ "%.1f" | format(item.percent) }}%"></i></div></td>
<td class="n">{{ "%.1f" | format(item.percent) }}</td>
<td>{% if item.mistakes %}{{ item.mistaken_for }} ({{ item.mistakes }}){% endif %}</td>
</tr>
{% endfor %}</table></div>
<h3>Confusion</h3>
<img alt="Confusion matrix" style="max-height: 760px" src="{{ confusion }}">
{% if test.confused %}
<div class="scroll"><table>
<tr><th>true class</th><th>taken for</th><th class="n">samples</th>
<th class="n">% of the class</th></tr>
{% for own, taken, samples, share in test.confused -%}
<tr><td>{{ own }}</td><td>{{ taken }}</td><td class="n">{{ samples }}</td>
<td class="n">{{ "%.1f" | format(share) }}</td></tr>
{% endfor %}</table></div>{% endif %}
{% else %}<p class="missing">{{ problems.scores }}</p>{% endif %}
</section>

{% if test %}
<section id="worst">
<h2>Worst clips</h2>
{% if not clips %}<p>Every sample is right.</p>{% else %}
<p>Those that a wrong class is furthest ahead for.</p>{% endif %}
{% if problems.movies %}<p class="missing">{{ problems.movies }}</p>{% endif %}
{% if legend %}<p class="legend">{% for name, colour in legend -%}
<span><i style="background: {{ colour }}"></i>{{ name }}</span>
{% endfor %}</p>{% endif %}
<div class="clips">
{% for clip in clips -%}
<div class="clip">
{% if clip.movie %}<img alt="{{ clip.label }}" src="{{ clip.movie }}">{% endif %}
<div class="name">{{ clip.name }}</div>
<div>is <b class="right">{{ clip.label }}</b>
(score {{ "%.3f" | format(clip.own_score) }})</div>
<ul>{% for name, score in clip.top -%}
<li><span{% if loop.first %} class="wrong"{% endif %}>{{ name }}</span>
<span>{{ "%.3f" | format(score) }}</span></li>
{% endfor %}</ul>
</div>
{% endfor %}</div>
</section>
{% endif %}

<section id="config">
<h2>Config</h2>
{% if summary %}<div class="scroll"><table class="facts">
{% for name, value in summary -%}
<tr><th>{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}</table></div>
<details><summary>The whole config</summary><pre>{{ config_text }}</pre></details>
{% else %}<p class="missing">{{ problems.config }}</p>{% endif %}
</section>

<section id="environment">
<h2>Environment</h2>
{% if environment %}<pre>{{ environment }}</pre>
{% else %}<p class="missing">{{ problems.environment }}</p>{% endif %}
</section>

<footer>Written by gap_mmaction {{ version }}. This page loads nothing and runs
nothing.</footer>
</main>
</body>
</html>
"""
