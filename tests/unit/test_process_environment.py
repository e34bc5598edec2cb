"""The environment of processes that compute: what the user set stays, and their children have it too."""

import json
import os
import subprocess
import sys

from distrack.process_environment import FAST_ON_CPU
from distrack.settings import PROJECT

SCRIPT = """
import subprocess, sys
from distrack.process_environment import compute_fast
compute_fast()
child = "import json, os; print(json.dumps(dict(os.environ)))"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout)
"""


def test_a_process_and_its_children_compute_fast_but_for_what_the_user_set() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in FAST_ON_CPU}
    environment["OMP_WAIT_POLICY"] = "ACTIVE"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    wanted = FAST_ON_CPU | {"OMP_WAIT_POLICY": "ACTIVE"} if sys.platform == "linux" else environment
    assert {name: found.get(name) for name in FAST_ON_CPU} == {name: wanted.get(name) for name in FAST_ON_CPU}
