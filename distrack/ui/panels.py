"""The panels of all kinds of job: importing this module registers them."""

from distrack.ui.condense import result  # noqa: F401
from distrack.ui.decompose import live as decomposition  # noqa: F401
from distrack.ui.distill import bench_result, sweep_result  # noqa: F401
from distrack.ui.distill import live as distillation  # noqa: F401
from distrack.ui.event_model import result as event_model  # noqa: F401
