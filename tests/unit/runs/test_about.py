"""What is said about a run is stored with it; a deleted run comes back whole."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from distrack import runs
from distrack.errors import ConfigError, RunError
from distrack.runs.about import About, about, delete, restore, tell
from distrack.runs.folder import Status, make_folder


@pytest.fixture
def run(tmp_path: Path) -> runs.Run:
    return make_folder(tmp_path, "one", "{}")


def test_a_title_a_note_tags_and_a_star_are_stored_one_by_one(run: runs.Run) -> None:
    assert about(run) == About()
    tell(run, title="The first", tags=("good", "fsdd"))
    tell(run, note="Ran on the train.", star=True)
    assert about(run) == About(title="The first", note="Ran on the train.", tags=("good", "fsdd"), star=True)
    tell(run, title="", note=None)
    assert about(run) == About(tags=("good", "fsdd"), star=True)


def test_impossible_words_are_refused_and_change_nothing(run: runs.Run) -> None:
    tell(run, title="The first")
    for changes in ({"tags": ("two words",)}, {"title": "x" * 200}, {"colour": "red"}):
        with pytest.raises(ConfigError):
            tell(run, **changes)
    assert about(run) == About(title="The first")
    (run.path / "notes.json").write_text("{")
    assert about(run) == About()


def test_a_deleted_run_is_listed_no_more_and_comes_back_whole(run: runs.Run, tmp_path: Path) -> None:
    tell(run, title="The first")
    delete(run)
    assert list(runs.all_runs(tmp_path)) == []
    make_folder(tmp_path, "one", '{"second": true}')
    with pytest.raises(RunError, match="exists"):
        restore(tmp_path, "one")
    delete(runs.find(tmp_path, "one"))
    restore(tmp_path, "one")
    assert runs.find(tmp_path, "one").config() == {"second": True}, "the one that was deleted last"
    delete(runs.find(tmp_path, "one"))
    for _ in range(2):
        restore(tmp_path, "one")
        (tmp_path / "one").rename(tmp_path / "elsewhere")
        last = runs.Run(tmp_path / "elsewhere")
        if last.config() == {}:
            break
        (tmp_path / "elsewhere").rename(tmp_path / "kept")
    assert about(last).title == "The first"
    with pytest.raises(RunError, match="no run 'one' in the bin"):
        restore(tmp_path, "one")


def test_a_run_at_work_is_not_deleted(run: runs.Run) -> None:
    status = Status.queued(run.status(), psutil.Process(os.getpid()), device="cpu")
    run.write("status.json", status.model_dump_json())
    with pytest.raises(RunError, match="is running: stop it first"):
        delete(run)
    assert run.path.is_dir()


def test_the_command_names_notes_tags_deletes_and_restores(
    tiny_run: runs.Run, tmp_path: Path, typed: Callable[..., tuple[int | str | None, str, str]]
) -> None:
    shutil.copytree(tiny_run.path, tmp_path / "one")
    place = ("--runs-path", str(tmp_path))
    named = ("rename", "one", "The first"), ("note", "one", "--tags", "good,fsdd"), ("note", "one", "Ran on the train.")
    for words in named:
        code, _, err = typed(*words, *place)
        assert code == 0, err
    _, out, _ = typed("runs", *place, "--json")
    (row,) = json.loads(out)
    assert (row["title"], row["note"], row["tags"], row["star"]) == (
        "The first",
        "Ran on the train.",
        ["good", "fsdd"],
        False,
    )
    assert typed("delete", "one", *place)[0] == 0
    assert not (tmp_path / "one").exists()
    assert typed("restore", "one", *place)[0] == 0
    assert about(runs.Run(tmp_path / "one")).title == "The first"
    assert typed("note", "one", "--tags", "two words", *place)[0] == 2
    assert typed("note", "one", "--tags", "", "--star", *place)[0] == 0
    assert about(runs.Run(tmp_path / "one")) == About(title="The first", note="Ran on the train.", star=True)


def test_what_two_processes_say_at_once_is_all_kept(run: runs.Run) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from distrack.runs import Run\n"
        "from distrack.runs.about import about, tell\n"
        "run = Run(Path(sys.argv[1]))\n"
        "for number in range(100):\n"
        "    if sys.argv[2] == 'title':\n"
        "        tell(run, title=f'title {number}')\n"
        "        assert about(run).title == f'title {number}'\n"
        "    else:\n"
        "        tell(run, note=f'note {number}')\n"
        "        assert about(run).note == f'note {number}'\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script, str(run.path), what]) for what in ("title", "note")]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert (about(run).title, about(run).note) == ("title 99", "note 99")
