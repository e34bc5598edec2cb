"""The command: every job starts here, from a shell or from a page."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from distrack import answers
from distrack import datasets as registry
from distrack.cli import terminal
from distrack.errors import ConfigError, DistrackError
from distrack.settings import PROJECT, settings

app = typer.Typer(
    help="Distil audio datasets to a handful of synthetic tracks per class, hear them, measure them.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"token_normalize_func": lambda word: word.replace("_", "-")},
)

RunsPath = Annotated[Path | None, typer.Option(help="Folder of the runs.")]
DataPath = Annotated[Path | None, typer.Option(help="Folder that holds the dataset.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Plain lines instead of a live bar.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as `runs` lists it.")]


def main() -> None:
    """Entry point: exit code 0, or 2 with one line that says what is wrong and what to do."""
    try:
        result = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except DistrackError as error:
        _refuse(str(error))
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("distrack: interrupted\n")
        sys.exit(130)
    except Exception as error:
        # Typer's own errors (an unknown option, a missing argument) know how to say so in one line.
        if not hasattr(error, "format_message"):
            raise
        _refuse(f"{error.format_message().rstrip('.')}. See: python -m distrack --help")
    sys.exit(result if isinstance(result, int) else 0)


def _refuse(message: str) -> None:
    sys.stderr.write(" ".join(f"distrack: {message}".split()) + "\n")
    sys.exit(2)


@app.command("datasets")
def list_datasets(as_json: AsJson = False) -> None:
    """Lists what is known, where it is, and how to get it."""
    rows: list[dict[str, Any]] = []
    for name in registry.DATASETS:
        dataset = registry.DATASETS[name]
        root = registry.home(dataset, None)
        here = root.is_dir()
        how = "ready to prepare" if here else dataset.how_to_get()
        short = (
            "prepare" if here or dataset.make else "prepare --download" if dataset.downloads else "--data-path FOLDER"
        )
        rows.append(
            {
                "name": name,
                "title": dataset.title,
                "task": dataset.task,
                "stands_for": dataset.stands_for,
                "clips": dataset.clips,
                "size": dataset.size,
                "licence": dataset.licence,
                "citation": dataset.citation,
                "url": dataset.url,
                "layout": dataset.layout,
                "folds": list(dataset.folds),
                "present": here,
                "path": str(root),
                "how": how,
                "short": short,
            }
        )
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("dataset", "task", "clips", "GB", "here", "have it with")
    for row in rows:
        clips, size = f"{row['clips']:,}" * bool(row["clips"]), f"{row['size'] / 1e9:.2f}" * bool(row["size"])
        table.add_row(row["name"], row["task"], clips, size, "yes" if row["present"] else "no", row["short"])
    terminal.show_table(table)
    typer.echo("`python -m distrack datasets --json` tells the rest: licences, citations, home pages, expected layout.")


@app.command()
def prepare(
    dataset: Annotated[str, typer.Option(help="Name of the dataset.")] = "SPOKEN_DIGITS",
    data_path: DataPath = None,
    duration: Annotated[float | None, typer.Option(help="Seconds of a clip.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch it first, where it can be had.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Downloads, makes or reads a dataset, decodes it once, and computes the default feature."""
    from distrack import jobs, runs
    from distrack.validation import from_preset

    asked = {"dataset": dataset, "data_path": data_path, "duration": duration, "download": download}
    job = from_preset(jobs.Preparation, asked)
    try:
        with terminal.progress(quiet=quiet) as watch:
            material = jobs.work_on_preparation(job, watch=watch)
    except runs.Stopped:
        typer.echo(f"stopped. Go on with: {job.command()}", err=as_json)
        return
    if material is None:
        there = registry.look(job.dataset, job.data_path)
        typer.echo(f"{job.dataset}: {len(there.clips)} pieces to take apart under {there.root}")
        return
    result = jobs.found(jobs.place(job.dataset, job.data_path))
    if as_json and result is not None:
        typer.echo(result.model_dump_json(indent=2))
        return
    index = material.prepared.index
    sides = f"{len(material.train)} training and {len(material.test)} test"
    if validation := len(material.prepared.split_rows("validation")):
        sides = f"{len(material.train)} training, {validation} validation and {len(material.test)} test"
    typer.echo(
        f"{job.dataset}: {len(index.classes)} classes, {sides} clips of {material.prepared.seconds:g} s, "
        f"disjoint by {index.disjoint_by}"
    )
    for note in index.notes:
        typer.echo(f"note: {note}")
    for path, reason in result.skipped if result else ():
        typer.echo(f"skipped {path}: {reason}")
    if index.unlisted:
        typer.echo(f"left alone {len(index.unlisted)} audio files that the dataset's list does not name")


@app.command()
def distill(
    dataset: Annotated[str | None, typer.Option(help="Name of the dataset.")] = None,
    data_path: DataPath = None,
    test_fold: Annotated[int | None, typer.Option(help="Official fold to test on.")] = None,
    cross_validate: Annotated[
        bool, typer.Option("--cross-validate", help="Each official fold in turn, and their mean.")
    ] = False,
    feature_type: Annotated[
        str | None, typer.Option(help="melspectrogram, logmelspectrogram, chromagram or mfcc.")
    ] = None,
    ipc: Annotated[str | None, typer.Option(help="Tracks per class; several, comma-separated, in turn.")] = None,
    preset: Annotated[str | None, typer.Option(help="quick, standard or paper.")] = None,
    domain: Annotated[str | None, typer.Option(help="What is optimised: spectral or waveform.")] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds of a track.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random draw.")] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Distillations, each with a seed of its own; the first is --seed.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimisation steps.")] = None,
    initialisation: Annotated[str | None, typer.Option(help="noise, real, herding or k-means.")] = None,
    objective: Annotated[str | None, typer.Option(help="Matching objective: mean, mmd or cf.")] = None,
    classification: Annotated[
        float | None, typer.Option(help="Weight of a cross-entropy in the pool's trained networks.")
    ] = None,
    parameterisation: Annotated[
        str | None, typer.Option(help="How tracks are stored: identity, multiformation or dct.")
    ] = None,
    factor: Annotated[int | None, typer.Option(help="Tracks rendered from the storage of one.")] = None,
    prior: Annotated[str | None, typer.Option(help="What moves a waveform: spectrum or none.")] = None,
    tracks_per_step: Annotated[
        int | None, typer.Option(help="Stored tracks of a class that a step moves; 0: all.")
    ] = None,
    optimiser: Annotated[str | None, typer.Option("--optimiser", "--optimizer", help="sgd or adam.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of the tracks' parameters.")] = None,
    momentum: Annotated[float | None, typer.Option(help="Of sgd.")] = None,
    schedule: Annotated[str | None, typer.Option(help="Learning rate over the steps: constant or cosine.")] = None,
    balance: Annotated[str | None, typer.Option(help="Weight of a network's loss: none or spread.")] = None,
    snapshots: Annotated[int | None, typer.Option(help="How many states of the tracks are kept.")] = None,
    n_fft: Annotated[int | None, typer.Option(help="Samples of a window.")] = None,
    hop_length: Annotated[int | None, typer.Option(help="Samples between two frames.")] = None,
    n_mels: Annotated[int | None, typer.Option(help="Mel bands.")] = None,
    n_mfcc: Annotated[int | None, typer.Option(help="Cepstral coefficients.")] = None,
    network: Annotated[
        str | None, typer.Option(help="Embedding network: convnet, mlp, lenet, alexnet, vgg11 or resnet18.")
    ] = None,
    width: Annotated[int | None, typer.Option(help="Channels of the embedding network.")] = None,
    depth: Annotated[int | None, typer.Option(help="Blocks of the embedding network.")] = None,
    pool_size: Annotated[int | None, typer.Option(help="Networks in the pool; 0: a fresh one each step.")] = None,
    pool_grow_every: Annotated[int | None, typer.Option(help="Steps between two networks joining the pool.")] = None,
    pool_refresh_every: Annotated[int | None, typer.Option(help="Steps until the pool is replaced; 0: never.")] = None,
    pool_training: Annotated[
        int | None, typer.Option(help="Steps that a network of the pool is trained on real clips, at most.")
    ] = None,
    clips_per_class: Annotated[
        int | None, typer.Option(help="Random real clips of a class that a network embeds.")
    ] = None,
    time_shift: Annotated[float | None, typer.Option(help="Paired augmentation: share of the frames.")] = None,
    band_shift: Annotated[float | None, typer.Option(help="Paired augmentation: share of the bands.")] = None,
    time_mask: Annotated[float | None, typer.Option(help="Paired augmentation: share of the frames.")] = None,
    band_mask: Annotated[float | None, typer.Option(help="Paired augmentation: share of the bands.")] = None,
    gain: Annotated[float | None, typer.Option(help="Paired augmentation: deviation of the level.")] = None,
    noise: Annotated[float | None, typer.Option(help="Paired augmentation: deviation of the noise.")] = None,
    evaluators: Annotated[
        str | None, typer.Option(help="Comma-separated: random-cnn, prototype, linear-probe, recognition.")
    ] = None,
    baselines: Annotated[
        str | None, typer.Option(help="Comma-separated: random-selection, herding, k-means, class-mean, full.")
    ] = None,
    evaluation_seeds: Annotated[int | None, typer.Option(help="Networks a figure is the mean of.")] = None,
    no_evaluate: Annotated[bool, typer.Option("--no-evaluate", help="Distil only.")] = False,
    runs_path: RunsPath = None,
    name: Annotated[str | None, typer.Option(help="Id of the run or the sweep.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Distils a dataset and measures the result.

    With several numbers of tracks, every fold or several seeds it is a sweep: ordinary runs, one after the other, and a
    table of all of them. One begun with the same options and --name goes on.
    """
    from distrack import jobs
    from distrack.validation import from_preset

    asked = {
        "dataset": dataset,
        "data_path": data_path,
        "test_fold": test_fold,
        "duration": duration,
        "domain": domain,
        "preset": preset,
        "seed": seed,
        "device": device,
        "steps": steps,
        "initialisation": initialisation,
        "objective": objective,
        "classification": classification,
        "parameterisation": parameterisation,
        "factor": factor,
        "prior": prior,
        "tracks_per_step": tracks_per_step,
        "optimiser": optimiser,
        "learning_rate": learning_rate,
        "momentum": momentum,
        "schedule": schedule,
        "balance": balance,
        "snapshots": snapshots,
        "feature": {"name": feature_type, "n_fft": n_fft, "hop_length": hop_length, "n_mels": n_mels, "n_mfcc": n_mfcc},
        "network": {"name": network, "width": width, "depth": depth},
        "pool": {
            "size": pool_size,
            "grow_every": pool_grow_every,
            "refresh_every": pool_refresh_every,
            "training": pool_training,
            "clips_per_class": clips_per_class,
        },
        "augmentation": {
            "time_shift": time_shift,
            "band_shift": band_shift,
            "time_mask": time_mask,
            "band_mask": band_mask,
            "gain": gain,
            "noise": noise,
        },
        "evaluation": _evaluation(evaluators, baselines, evaluation_seeds),
    }
    wanted = [from_preset(jobs.DistillJob, {**asked, "ipc": count}) for count in _counts(ipc) or (None,)]
    if no_evaluate:
        wanted = [job.model_copy(update={"evaluation": None}) for job in wanted]
    if len(wanted) > 1 or cross_validate or seeds is not None:
        sweep = jobs.sweep_of(wanted, cross_validate=cross_validate, seeds=seeds)
        _series(sweep, _runs_path(runs_path), name, quiet=quiet, as_json=as_json)
        return
    report = _new_run(wanted[0], _runs_path(runs_path), name, quiet=quiet, as_json=as_json)
    if report is not None:
        terminal.show(report[1], report[0], as_json=as_json)


def _new_run(job: Any, runs_path: Path, name: str | None, *, quiet: bool, as_json: bool) -> tuple[str, Any] | None:
    """Id and report of a run from its beginning to its end; None where it was stopped."""
    from distrack import jobs

    job.check()
    run = jobs.create(runs_path, job, name)
    try:
        return _finished(run, quiet=quiet, as_json=as_json)
    except DistrackError:
        if run.status().phase in ("", "prepare"):
            # Nothing was made yet that would be worth keeping.
            shutil.rmtree(run.path, ignore_errors=True)
        raise


def _series(job: Any, runs_path: Path, name: str | None, *, quiet: bool, as_json: bool) -> None:
    """A series from its beginning, or from where one of that name stands, to its end."""
    from distrack import jobs

    job.check()
    run = jobs.series.begun(runs_path, job, name)
    if run is not None:
        _worked(run, quiet=quiet, as_json=as_json)
        return
    run = jobs.series.create(runs_path, job, name)
    try:
        _worked(run, quiet=quiet, as_json=as_json)
    except DistrackError:
        if not any(jobs.series.run_of(run, cell).path.exists() for cell in jobs.series.cells_of(job, run.id)):
            # Nothing was made that would be worth keeping.
            shutil.rmtree(run.path, ignore_errors=True)
        raise


def _worked(run: Any, *, quiet: bool, as_json: bool) -> None:
    """A series taken to its end, and its table."""
    from distrack import jobs, runs

    try:
        with terminal.progress(quiet=quiet) as watch:
            report = jobs.series.work_on(run, watch=watch)
    except runs.Stopped:
        typer.echo(f"stopped. Go on with: python -m distrack resume {run.id}", err=as_json)
        return
    terminal.show_series(report, run.id, as_json=as_json)


@app.command()
def condense(
    dataset: Annotated[str | None, typer.Option(help="Name of the dataset.")] = None,
    data_path: DataPath = None,
    test_fold: Annotated[int | None, typer.Option(help="Official fold to test on.")] = None,
    budget_seconds: Annotated[
        float | None, typer.Option(help="Seconds of tracks per class, whatever their length; 3 unless given.")
    ] = None,
    durations: Annotated[
        str | None,
        typer.Option(help="Comma-separated seconds of a track; the budget holds each a whole number of times."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Distillations of each duration.")] = None,
    feature_type: Annotated[
        str | None, typer.Option(help="melspectrogram, logmelspectrogram, chromagram or mfcc.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="quick, standard or paper.")] = None,
    domain: Annotated[str | None, typer.Option(help="What is optimised: spectral or waveform.")] = None,
    parameterisation: Annotated[
        str | None, typer.Option(help="How tracks are stored: identity, multiformation or dct.")
    ] = None,
    factor: Annotated[int | None, typer.Option(help="Tracks rendered from the storage of one.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimisation steps of each distillation.")] = None,
    seed: Annotated[int | None, typer.Option(help="First seed; the others follow it.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = None,
    evaluation_seeds: Annotated[int | None, typer.Option(help="Networks that learn from each set of tracks.")] = None,
    runs_path: RunsPath = None,
    name: Annotated[
        str | None, typer.Option(help="Id of the condensation; one begun with the same options goes on.")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Temporal condensation: more short tracks or fewer long ones, at an equal budget of seconds?

    Distils the dataset once for each duration (and seed), every time to as many tracks as the budget holds, and
    measures each result beside random clips of the same number and length. Each of these is an ordinary run, named
    ID-SECONDSs-SEED.

    With a duration, a clip is the first seconds of its recording, filled with silence where that is shorter, for
    training and for testing alike: at a short duration the test clips hold less too. The budgets are equal in seconds;
    in floats, which the table shows, they differ a little with frames and labels.
    """
    from distrack import jobs

    asked = {
        "budget_seconds": budget_seconds,
        "durations": _listed(durations),
        "seeds": seeds,
        "dataset": dataset,
        "data_path": data_path,
        "test_fold": test_fold,
        "feature": {"name": feature_type},
        "preset": preset,
        "domain": domain,
        "parameterisation": parameterisation,
        "factor": factor,
        "steps": steps,
        "seed": seed,
        "device": device,
        "evaluation": {"seeds": evaluation_seeds},
    }
    _series(jobs.condense_job(asked), _runs_path(runs_path), name, quiet=quiet, as_json=as_json)


@app.command()
def resume(run: RunId, runs_path: RunsPath = None, quiet: Quiet = False, as_json: AsJson = False) -> None:
    """Finishes a run of any kind, a sweep or a condensation that was stopped, failed, or whose process is gone."""
    from distrack import jobs

    found = jobs.series.find_any(_runs_path(runs_path), run)
    if jobs.series.kind_of(found) is not None:
        _worked(found, quiet=quiet, as_json=as_json)
        return
    if found.takes_apart:
        _taken_apart(found, quiet=quiet, as_json=as_json)
        return
    finished = _finished(found, quiet=quiet, as_json=as_json)
    if finished is not None:
        terminal.show(finished[1], finished[0], as_json=as_json)


@app.command()
def evaluate(
    run: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs, as `runs` lists them.")],
    evaluators: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: random-cnn, prototype, prototype-ensemble, prototype-trained, linear-probe, "
            "recognition."
        ),
    ] = None,
    baselines: Annotated[
        str | None,
        typer.Option(help="Comma-separated: random-selection, herding, k-means, k-means-centres, class-mean, full."),
    ] = None,
    evaluation_seeds: Annotated[
        int | None, typer.Option("--seeds", "--evaluation-seeds", help="Networks a figure is the mean of.")
    ] = None,
    architectures: Annotated[
        str | None, typer.Option(help="Comma-separated: other networks that random-cnn is repeated with.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Nearest prototype by cosine or euclidean.")] = None,
    learning_rates: Annotated[
        str | None,
        typer.Option(help="Comma-separated: the best of these on held-out training clips, for each training set."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes that measure side by side.")] = 1,
    runs_path: RunsPath = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Measures finished synthetic sets again, with other evaluators, baselines, networks or seeds.

    What was measured before is not measured again: a further seed costs one network, and asking for the same costs
    nothing.
    """
    chosen = {
        **_evaluation(evaluators, baselines, evaluation_seeds),
        "architectures": _listed(architectures),
        "metric": metric,
        "learning_rates": _listed(learning_rates),
    }
    chosen = {name: value for name, value in chosen.items() if value is not None}
    known = answers.answers(_runs_path(runs_path), run, chosen)
    if known is not None:
        terminal.show_all(known, as_json=as_json)
        return
    from distrack import jobs as kinds
    from distrack import runs
    from distrack.validation import from_preset

    reports = {}
    for each in [runs.find(_runs_path(runs_path), name) for name in dict.fromkeys(run)]:
        before = each.job().evaluation
        asked = {**({} if before is None else before.model_dump()), **chosen}
        config = from_preset(kinds.DistillJob, {"evaluation": asked}).evaluation
        if config is None:
            raise ConfigError("nothing to evaluate with")
        try:
            with terminal.progress(quiet=quiet) as watch:
                report = kinds.measure(each, config, processes=jobs, watch=watch)
            reports[each.id] = report.model_dump(mode="json")
            answers.keep(each.path, chosen)
        except runs.Stopped:
            typer.echo(f"stopped: {each.id} keeps what it had", err=as_json)
            break
    terminal.show_all(reports, as_json=as_json)


@app.command()
def compare(
    run: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs, as `runs` lists them.")],
    to: Annotated[Path | None, typer.Option(help="File to write: .csv, .tex, .html, .png or .svg.")] = None,
    evaluator: Annotated[str | None, typer.Option(help="Of a table or a figure that holds one.")] = None,
    network: Annotated[str | None, typer.Option(help="Likewise, as a report names it: 'convnet 32 x 3'.")] = None,
    runs_path: RunsPath = None,
) -> None:
    """Puts runs side by side: a table here, or a file; one that cannot be used is named, the rest is shown."""
    from distrack import export, runs
    from distrack.export.comparison import table

    found = [runs.find(_runs_path(runs_path), name) for name in dict.fromkeys(run)]
    entries, unusable = table(found)
    for left_out in unusable:
        typer.echo(f"left out {left_out.run.id}: {left_out.reason}", err=True)
    if not entries:
        raise ConfigError("nothing to compare: none of these runs was measured")
    if to is None:
        terminal.show_comparison(entries)
        return
    content = export.content(entries, to.suffix.lower(), evaluator=evaluator, network=network)
    try:
        to.expanduser().write_bytes(content)
    except OSError as error:
        raise ConfigError(f"cannot write {to}: {error.strerror or error}") from None
    typer.echo(f"{to}: {len(entries)} {'run' if len(entries) == 1 else 'runs'}")


@contextmanager
def _keeping(run: str, *, as_json: bool) -> Iterator[None]:
    """Whoever stops the work on a run is told that nothing is lost."""
    from distrack import runs

    try:
        yield
    except runs.Stopped:
        typer.echo(f"stopped: {run} keeps what it had", err=as_json)


@app.command()
def inspect(run: RunId, runs_path: RunsPath = None, quiet: Quiet = False, as_json: AsJson = False) -> None:
    """Looks whether tracks are copies: how near each comes to its nearest real clip."""
    from distrack import jobs, runs

    found = runs.find(_runs_path(runs_path), run)
    with _keeping(run, as_json=as_json):
        with terminal.progress(quiet=quiet) as watch:
            inspection = jobs.inspect(found, watch=watch)
        terminal.show_inspection(inspection, run, as_json=as_json)


@app.command()
def listen(
    run: RunId,
    track: Annotated[
        list[str] | None, typer.Option(help="Whose snapshots are made audible; the first of each class unless named.")
    ] = None,
    runs_path: RunsPath = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Makes what tracks are heard beside: their nearest and random real clips, class means, and their snapshots."""
    from distrack import jobs, runs

    found = runs.find(_runs_path(runs_path), run)
    with _keeping(run, as_json=as_json):
        with terminal.progress(quiet=quiet) as watch:
            listening = jobs.listen(found, track or (), watch=watch)
        terminal.show_listening(listening, run, as_json=as_json)


@app.command()
def export(
    run: RunId,
    to: Annotated[Path, typer.Option(help="A .zip to write, or a new folder.")],
    of_class: Annotated[str | None, typer.Option("--class", help="Only the tracks of this class.")] = None,
    track: Annotated[str | None, typer.Option(help="Only this track.")] = None,
    audio_format: Annotated[str, typer.Option("--format", help="flac or wav.")] = "flac",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a zip that is there.")] = False,
    runs_path: RunsPath = None,
) -> None:
    """Writes tracks as files that serve alone: sounds, images, numbers, configuration, licence, dataset card."""
    from distrack import runs
    from distrack.export import bundle

    found = runs.find(_runs_path(runs_path), run)
    count = bundle.export(found, to, of_class=of_class, track=track, audio=audio_format, overwrite=overwrite)
    typer.echo(f"{to}: {count} {'track' if count == 1 else 'tracks'}")


@app.command()
def stop(run: RunId, runs_path: RunsPath = None) -> None:
    """Stops a run, a sweep or a condensation; what it has done is kept and `resume` goes on from there."""
    from distrack import jobs, runs

    found = jobs.series.find_any(_runs_path(runs_path), run)
    status = runs.stop(found) if jobs.series.kind_of(found) is None else jobs.series.stop(found)
    typer.echo(f"{run} is {status.state}")


@app.command()
def decompose(
    file: Annotated[Path, typer.Argument(help="A recording: wav, flac, ogg or mp3.")],
    preset: Annotated[
        str | None, typer.Option(help="quick, or paper: splatting to 64 events in 3,000 iterations.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="matching-pursuit or splat.")] = None,
    events: Annotated[int | None, typer.Option(help="At most so many; 64 unless given.")] = None,
    start: Annotated[float | None, typer.Option(help="Seconds from the file's beginning.")] = None,
    seconds: Annotated[float | None, typer.Option(help="How much of it; to its end unless given.")] = None,
    sample_rate: Annotated[int | None, typer.Option(help="In Hz; the file's own unless given.")] = None,
    mono: Annotated[bool, typer.Option("--mono", help="The mean of both channels.")] = False,
    time_limit: Annotated[float | None, typer.Option(help="Seconds of computing, at most.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of all that is random.")] = None,
    atoms: Annotated[
        str | None, typer.Option(help="Matching pursuit: gabor, damped, both, or learned from the clip.")
    ] = None,
    orthogonal: Annotated[
        bool, typer.Option("--orthogonal", help="Matching pursuit: overlapping atoms are fitted anew together.")
    ] = False,
    snr: Annotated[float | None, typer.Option(help="Matching pursuit: enough, in dB.")] = None,
    waveforms: Annotated[int | None, typer.Option(help="How many waveforms are learnt.")] = None,
    waveform_seconds: Annotated[float | None, typer.Option(help="Length of a learnt waveform.")] = None,
    iterations: Annotated[int | None, typer.Option(help="Splatting: steps of the optimiser.")] = None,
    envelope: Annotated[str | None, typer.Option(help="Splatting: gamma or gaussian.")] = None,
    initialisation: Annotated[str | None, typer.Option(help="Splatting: where events begin.")] = None,
    sparsity: Annotated[float | None, typer.Option(help="Splatting: weight of the amplitudes in the loss.")] = None,
    prune: Annotated[float | None, typer.Option(help="Splatting: share of the events removed on the way.")] = None,
    runs_path: RunsPath = None,
    name: Annotated[str | None, typer.Option(help="Id of the run.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Takes a clip apart into a few events that can be moved like notes."""
    from distrack import jobs
    from distrack.validation import from_preset

    asked = {
        "file": file,
        "preset": preset,
        "method": method,
        "events": events,
        "start": start,
        "seconds": seconds,
        "sample_rate": sample_rate,
        "mono": mono,
        "time_limit": time_limit,
        "seed": seed,
        "pursuit": {
            "atoms": atoms,
            "orthogonal": orthogonal or None,
            "snr_db": snr,
            "waveforms": waveforms,
            "waveform_seconds": waveform_seconds,
        },
        "splat": {
            "iterations": iterations,
            "envelope": envelope,
            "initialisation": initialisation,
            "sparsity": sparsity,
            "prune": prune,
        },
    }
    job = from_preset(jobs.decomposition.DecomposeJob, asked)
    run = jobs.decomposition.create(_runs_path(runs_path), job, name)
    _taken_apart(run, quiet=quiet, as_json=as_json)


def _taken_apart(run: Any, *, quiet: bool, as_json: bool) -> None:
    """A decomposition taken to its end, and its report."""
    from distrack import jobs, runs

    try:
        with terminal.progress(quiet=quiet) as watch:
            report = jobs.decomposition.work(run, watch=watch)
    except runs.Stopped:
        typer.echo(f"stopped. Go on with: python -m distrack resume {run.id}", err=as_json)
        return
    terminal.show_decomposition(report, run.id, as_json=as_json)


@app.command()
def render(
    events: Annotated[Path, typer.Argument(help="A file of events: events.safetensors in a decomposition's folder.")],
    to: Annotated[Path, typer.Option(help="File to write: .flac, .wav, .mid, .json or .safetensors.")],
    room: Annotated[
        str | None, typer.Option(help="An impulse response: a file, or a name below IMPULSE_RESPONSE_PATH.")
    ] = None,
    wet: Annotated[float | None, typer.Option(help="Share that goes through the room, 0 to 1.")] = None,
    tail: Annotated[bool, typer.Option("--tail", help="Until the room has died away.")] = False,
) -> None:
    """Renders events to sound, or writes them as notes or to read."""
    from distrack.decompose import Events, files, known_rooms, room_named, with_room
    from distrack.decompose import wet as wetted

    found = Events.load(events)
    if room is not None:
        place = Path(room) if Path(room).is_file() else room_named(room, known_rooms(settings().impulse_response_path))
        found = with_room(found, place, wet=0.3 if wet is None else wet)
    elif wet is not None and found.room is None:
        raise ConfigError(f"wet {wet:g}: name a room that the sound goes through: --room")
    elif wet is not None:
        found = wetted(found, share=wet)
    typer.echo(files.save(found, to, tail=tail).said)


@app.command("runs")
def list_runs(runs_path: RunsPath = None, as_json: AsJson = False) -> None:
    """Lists the runs, newest first."""
    from distrack import runs

    rows = []
    for run in runs.all_runs(_runs_path(runs_path)):
        status, report = run.status(), None if run.takes_apart else run.report()
        accuracy = report.accuracy("random-cnn", "synthetic") if report else None
        rows.append({"id": run.id, **status.model_dump(include={"state", "phase", "step", "steps", "error"})})
        rows[-1]["accuracy"] = accuracy
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("run", "state", "phase", "step", "accuracy")
    for row in rows:
        shown = "" if row["accuracy"] is None else f"{row['accuracy']:.3f}"
        step = f"{row['step']} / {row['steps']}" if row["steps"] else ""
        table.add_row(row["id"], row["state"], row["phase"], step, shown)
    terminal.show_table(table)


@app.command("app")
def start_app() -> None:
    """Opens the app on PORT."""
    from distrack.process_environment import worker_environment

    os.chdir(PROJECT)
    command = ["-m", "streamlit", "run", str(PROJECT / "app.py"), "--server.port", str(settings().port)]
    os.execve(sys.executable, [sys.executable, *command], worker_environment())


def _finished(run: Any, *, quiet: bool, as_json: bool) -> tuple[str, Any] | None:
    """Id and report of a run taken to its end; None where it was stopped."""
    from distrack import jobs, runs

    try:
        with terminal.progress(quiet=quiet) as watch:
            return run.id, jobs.work(run, watch=watch)
    except runs.Stopped:
        typer.echo(f"stopped. Go on with: python -m distrack resume {run.id}", err=as_json)
        return None


def _runs_path(given: Path | None) -> Path:
    return (given or settings().runs_path).expanduser().absolute()


def _evaluation(evaluators: str | None, baselines: str | None, seeds: int | None) -> dict[str, Any]:
    return {"evaluators": _listed(evaluators), "baselines": _listed(baselines), "seeds": seeds}


def _counts(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(map(int, _listed(text) or ()))
    except ValueError:
        raise ConfigError(f"--ipc {text}: an integer, or several of them, comma-separated") from None


def _listed(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(word.strip() for word in text.split(",") if word.strip())
