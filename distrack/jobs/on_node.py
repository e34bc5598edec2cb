"""The work on a run on a node of a cluster."""

import time
from pathlib import Path
from typing import Any

from distrack.errors import DistrackError
from distrack.jobs.contract import cluster_queue, from_json, work
from distrack.registry import load_plugins
from distrack.runs import ALIVE, Run, Stopped
from distrack.settings import settings

# Seconds that a run whose node died may still seem to be alive: its last heartbeat is waited out.
_SILENCE = 30.0
_POLL = 0.5


def work_on(folder: str, config: dict[str, Any]) -> dict[str, Any]:
    """Works on a run until it is finished, from wherever an earlier node left it.

    Args:
        folder: the run's folder, which this node shares.
        config: the job, as `config.json` has it.

    Returns:
        `report`, or `stopped`, or `problem` and `remedy` of the error
    """
    load_plugins(settings().plugins)
    run, job = Run(Path(folder)), from_json(config)
    before = run.status().state
    if before == "stopped":  # whoever asked has marked it as queued: it was stopped on another node since
        return {"stopped": True}
    deadline = time.monotonic() + _SILENCE
    while before in ALIVE and before != "queued" and time.monotonic() < deadline:
        time.sleep(_POLL)
        before = run.status().state
    try:
        report = work(run, job, queue=cluster_queue(run))
    except Stopped:
        return {"stopped": True}
    except DistrackError as error:
        return {"problem": error.problem, "remedy": error.remedy}
    return {"report": report.model_dump(mode="json")}
