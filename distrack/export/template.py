"""The HTML of a comparison, for Jinja with everything escaped."""

from distrack.export.style import STYLE

_SCORES = """
{% macro fact(name, value) %}
<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>
{% endmacro %}

{% macro table_of_scores(measured, caption) %}
<div class="wide"><table class="scores">
<caption>{{ caption }}</caption>
<thead><tr><th scope="col">learnt from</th><th scope="col" class="n">accuracy, %</th>
<th scope="col" class="n">deviation</th><th scope="col" class="n">95 % over seeds</th>
<th scope="col" class="n">seeds</th><th scope="col" class="n">macro F1, %</th>
<th scope="col" class="n">lowest recall, %</th></tr></thead>
{% set best = measured.best %}
{% for row in measured.rows %}
{% set position = loop.index0 %}
<tbody><tr><th scope="rowgroup" colspan="7" class="of">{{ row.entry.run.id }}
<span>{{ "{:,}".format(row.entry.report.floats_per_class) }} floats per class
{% if row.comparison %}
{{ "" if row.comparison.gain is none else "· gain " ~ (row.comparison.gain | signed) }}
{{ "" if row.comparison.lost is none else "· lost " ~ (row.comparison.lost | percent) }}
{{ "" if row.comparison.recovered is none else "· recovered " ~ (row.comparison.recovered | percent) ~ "\u00a0%" }}
{% endif %}</span></th></tr>
{% for kind in measured.kinds if kind in row.found %}
{% set found = row.found[kind] %}
<tr><th scope="row">{{ kind }}</th>
<td class="n">{% if (position, kind) in best %}<strong>{{ found.accuracy.mean | percent }}</strong>
{% else %}{{ found.accuracy.mean | percent }}{% endif %}</td>
<td class="n">{% if found.accuracy.runs | length > 1 %}± {{ found.accuracy.std | percent }}{% else %}–{% endif %}</td>
<td class="n">{% if found.accuracy.interval %}{{ found.accuracy.interval[0] | percent }} to
{{ found.accuracy.interval[1] | percent }}{% else %}–{% endif %}</td>
<td class="n">{{ found.accuracy.runs | length }}</td>
<td class="n">{{ found.macro_f1 | percent }}</td>
<td class="n">{{ found | lowest_recall }}</td></tr>
{% endfor %}
</tbody>
{% endfor %}
</table></div>
{% endmacro %}
"""

_RUN = """
{% macro matrix_of(found) %}
<div class="wide"><table class="matrix{{ ' many' if found.classes | length > 20 }}">
<caption>{{ found.evaluation.evaluator }}, {{ found.evaluation.network }}: of the {{ found.examined_on }} of each true
class (rows), the percentage that was taken for each class (columns), over all seeds.</caption>
<thead><tr><td></td>{% for name in found.classes %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for name in found.classes %}
<tr><th scope="row">{{ name }}</th>
{%- set shares = found.shares[loop.index0] -%}
{%- for other in found.classes -%}
{%- set share = shares[loop.index0] if shares else 0 -%}
{%- if share -%}
<td style="--s:{{ "%.2f" | format(share) }}">{{ share | percent(0) if found.classes | length <= 20 }}</td>
{%- else -%}<td></td>{%- endif -%}
{%- endfor -%}</tr>
{% endfor %}
</tbody></table></div>
{% endmacro %}

{% macro players_of(there) %}
{% if there.players %}
<p class="quiet">{{ there.players | length }} of {{ there.tracks }} tracks. Time runs to the right, frequency upwards;
the pictures of a run have one scale of brightness.</p>
<ul class="tracks">
{% for track in there.players %}
<li><figure><img src="{{ track.picture }}" alt="Track {{ track.name }} of class {{ track.of_class }}">
{% if track.sound %}
<audio controls preload="metadata" src="{{ track.sound }}" aria-label="Track {{ track.name }}"></audio>
{% endif %}
<figcaption><strong>{{ track.of_class }}</strong> {{ track.name }}</figcaption></figure></li>
{% endfor %}
</ul>
{% endif %}
{% for sentence in there.missing %}<p class="note">{{ sentence }}</p>{% endfor %}
{% endmacro %}
"""

TEMPLATE = (
    _SCORES
    + _RUN
    + """
<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>"""
    + STYLE
    + """</style>
</head>
<body><main>
<header>
<h1>{{ title }}</h1>
{% if not entries %}
<p>No measured run was given: there is nothing to compare.</p>
{% else %}
<p>Each run distilled a dataset to a few synthetic tracks per class. A set of tracks is worth what is learnt from it:
evaluators learn from the tracks, or from real clips in their place, and are tested on real clips that neither
distillation nor training has seen.</p>
<nav aria-label="Contents"><ul>
{% for group, _ in groups %}
<li><a href="#group-{{ loop.index }}">Scores{% if groups | length > 1 %} {{ loop.index }}{% endif %}</a></li>
{% endfor %}
{% if entries | length > 1 %}<li><a href="#configs">What differs</a></li>{% endif %}
<li><a href="#runs">Tracks and confusion</a></li>
<li><a href="#datasets">Licences and citations</a></li>
<li><a href="#reading">How to read the numbers</a></li>
</ul></nav>
{% endif %}
</header>
{% if entries %}

<div class="wide"><table>
<thead><tr><th scope="col">run</th><th scope="col">dataset</th><th scope="col">feature</th><th scope="col">domain</th>
<th scope="col">stored as</th><th scope="col" class="n">tracks<br>per class</th>
<th scope="col" class="n">floats<br>per class</th><th scope="col" class="n">compression</th></tr></thead>
<tbody>
{% for entry in entries %}
<tr><th scope="row" class="id"><a href="#run-{{ loop.index }}">{{ entry.run.id }}</a></th>
<td>{{ entry.report.dataset }}</td><td>{{ entry.report.feature }}</td><td>{{ entry.report.domain }}</td>
<td>{{ entry.report.parameterisation }}</td><td class="n">{{ entry.report.tracks_per_class }}</td>
<td class="n">{{ "{:,}".format(entry.report.floats_per_class) }}</td>
<td class="n">{{ "{:,.0f}".format(entry.compression) }} ×</td></tr>
{% endfor %}
</tbody></table></div>
{% if groups | length > 1 %}
<p class="note" id="apart">These runs were not measured on the same test clips. Their accuracies stand in
{{ groups | length }} separate tables and cannot be compared from one to another.</p>
{% endif %}

{% for group, measured in groups %}
{% set report = group[0].report %}
<section id="group-{{ loop.index }}" aria-labelledby="group-{{ loop.index }}-title">
<h2 id="group-{{ loop.index }}-title">Scores on {{ "{:,}".format(report.split.test) }} test clips of
{{ known[report.dataset].title }}
{%- if report.split.test_fold is not none %}, test fold {{ report.split.test_fold }}{% endif %}</h2>
<dl>
{{ fact("training clips", "{:,}".format(report.split.train)) }}
{% if report.split.validation %}
{{ fact("validation clips, not used", "{:,}".format(report.split.validation)) }}
{% endif %}
{{ fact("test clips", "{:,}".format(report.split.test)) }}
{{ fact("the sides are disjoint by", group | map(attribute="report.split.disjoint_by") | unique | join(" or ")) }}
{{ fact("length of a clip", "%g s" | format(report.seconds_per_track)) }}
{% if measured %}{{ fact("accuracy of guessing", measured[0].scores.chance | percent ~ "\u00a0%") }}{% endif %}
</dl>
{% if groups | length > 1 %}
<p>The runs of the other tables met other test clips.</p>
{% endif %}
{% for note in group | map(attribute="report.split.notes") | sum(start=()) | unique %}
<p class="note">{{ note }}</p>
{% endfor %}
{% for each in measured %}
<h3>{{ each.scores.evaluator }}, {{ each.scores.network }}</h3>
{% if each.scores.listens %}
<p>The other way round: a network that learnt from all real training clips names the tracks. It says whether tracks
still sound like their class.</p>
{% endif %}
{{ table_of_scores(each.scores, "Examined on the tracks." if each.scores.listens else
   "Accuracy on real test clips. Bold: the best at equal storage, all clips apart." if each.scores.best else
   "Accuracy on real test clips.") }}
{% if not each.scores.one_recipe %}
<p class="note">These were not all measured by the same recipe of evaluation: small differences say little.</p>
{% endif %}
{% if each.scores.lacking %}
<p class="quiet">Not measured so: {{ each.scores.lacking | map(attribute="run.id") | join(", ") }}.</p>
{% endif %}
{% if each.bars %}
<figure class="chart">{{ each.bars }}
<figcaption>Accuracy by {{ each.scores.evaluator }}. Error bars: the 95 % interval over seeds; of a single seed there is
none. Line: all clips. Dotted: guessing.</figcaption></figure>
{% endif %}
{% if each.budget %}
<figure class="chart">{{ each.budget }}
<figcaption>Accuracy by {{ each.scores.evaluator }} against the numbers that are stored for a class. Bars: the 95 %
interval over seeds.</figcaption></figure>
{% endif %}
{% endfor %}
</section>
{% endfor %}

{% if entries | length > 1 %}
<section id="configs" aria-labelledby="configs-title">
<h2 id="configs-title">What differs between the configs</h2>
{% if differing %}
<div class="wide"><table>
<thead><tr><th scope="col">field</th>
{% for entry in entries %}<th scope="col" class="id" style="white-space:normal">{{ entry.run.id }}</th>{% endfor %}
</tr></thead>
<tbody>
{% for name, values in differing.items() %}
<tr><th scope="row">{{ name }}</th>{% for value in values %}<td>{{ value | plain }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% else %}
<p>Nothing: these configs are the same.</p>
{% endif %}
</section>
{% endif %}

<section id="runs" aria-labelledby="runs-title">
<h2 id="runs-title">Tracks and confusion of each run</h2>
{% for each in runs %}
{% set report = each.entry.report %}
<article id="run-{{ loop.index }}" aria-labelledby="run-{{ loop.index }}-title">
<h3 id="run-{{ loop.index }}-title">{{ each.entry.run.id }}</h3>
<dl>
{{ fact("tracks per class", report.tracks_per_class) }}
{% if report.rendered_per_class != report.tracks_per_class %}
{{ fact("rendered from them", report.rendered_per_class) }}
{% endif %}
{{ fact("length of a track", "%g s" | format(report.seconds_per_track)) }}
{{ fact("stored audio per class", "%g s" | format(each.entry.seconds_per_class)) }}
{{ fact("floats per class", "{:,}".format(report.floats_per_class)) }}
{{ fact("preset", each.entry.job.preset) }}
{{ fact("seed", each.entry.job.seed) }}
{% if "distill" in report.seconds %}
{{ fact("distilled in", "%.0f s on %s" | format(report.seconds["distill"], report.device)) }}
{% endif %}
{% if report.skipped %}{{ fact("files that could not be used", report.skipped) }}{% endif %}
</dl>
{% for note in each.entry.notes %}<p class="note">{{ note }}</p>{% endfor %}
<details><summary>The command that does the same</summary><pre><code>{{ each.command }}</code></pre></details>
<h4>Tracks</h4>
{{ players_of(each.heard) }}
<h4>What is taken for what</h4>
{% for found in each.matrices %}
{% if loop.first %}{{ matrix_of(found) }}{% else %}
<details><summary>{{ found.evaluation.evaluator }}, {{ found.evaluation.network }}</summary>
{{ matrix_of(found) }}</details>
{% endif %}
{% else %}
<p>Nothing was measured that learns from its tracks.</p>
{% endfor %}
</article>
{% endfor %}
</section>

<section id="datasets" aria-labelledby="datasets-title">
<h2 id="datasets-title">Licences and citations</h2>
{% for dataset in datasets %}
<h3>{{ dataset.title }}</h3>
<p>Licence: {{ dataset.licence }}.
{% if dataset.url.startswith(("https://", "http://")) %}
Home: <a href="{{ dataset.url }}" rel="noreferrer">{{ dataset.url }}</a>.
{% endif %}</p>
{% if dataset.citation %}<pre><code>{{ dataset.citation }}</code></pre>{% endif %}
{% endfor %}
</section>

<section id="reading" aria-labelledby="reading-title">
<h2 id="reading-title">How to read the numbers</h2>
<ul>
<li><strong>Learnt from</strong>: synthetic, the tracks; random-selection, herding and k-means, as many real clips,
chosen in that way; k-means-centres, as many centres of real clips; class-mean, the mean of each class; full, all
training clips.</li>
<li><strong>Accuracy</strong> is the share of test clips recognised, the mean over seeds.</li>
<li><strong>Deviation</strong> is the standard deviation over seeds. A seed stands for another network, and another
selection where clips are drawn at random.</li>
<li><strong>95 % over seeds</strong> is where the mean over all seeds lies with that confidence, by Student's t. It is
about the seeds alone: another set of test clips would add to it.</li>
<li><strong>Gain</strong> is in points of accuracy, beyond as many random clips as there are tracks.
<strong>Lost</strong> is what all clips have beyond the tracks. <strong>Recovered</strong> is the accuracy as a share
of that of all clips.</li>
<li><strong>Lowest recall</strong> is the share recognised of the class that is recognised worst.</li>
<li><strong>Floats per class</strong> is the storage budget: all numbers that are stored for a class, labels counted.
Two budgets are equal here where they differ by no more than 5 %. <strong>Compression</strong> is how many numbers all
training clips have for each that is stored.</li>
</ul>
</section>
{% endif %}
<footer class="quiet">DisTrack {{ version }}</footer>
</main></body>
</html>
"""
)
