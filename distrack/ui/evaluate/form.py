"""The form for further evaluations of a finished run. Cached measurements are not made again."""

import streamlit as st

from distrack import runs
from distrack.distill import DistillConfig
from distrack.errors import DistrackError
from distrack.evaluate import EvaluationConfig
from distrack.jobs.distillation import DistillJob, distillation_job
from distrack.jobs.evaluation import EvaluationJob
from distrack.networks import NETWORKS, check_shape
from distrack.ui.shared import job_panel
from distrack.ui.shared.fields import Fields
from distrack.ui.shared.page import show_errors
from distrack.ui.shared.run_in_view import runs_path

# Learning rates that are compared on held-out clips.
_RATES = (0.002, 0.006, 0.02)


def show(run: runs.Run) -> None:
    """The form, and the start of an evaluation when its button is pressed."""
    try:
        config = distillation_job(run)
    except DistrackError as error:
        st.warning(str(error))
        return
    earlier = (config.evaluation if isinstance(config, DistillJob) else None) or EvaluationConfig()
    with st.expander("Run more evaluations"), st.form("measure", border=False):
        left, right = st.columns(2)
        fields = Fields(earlier, f"evaluate-{run.id}")
        evaluators = fields.draw("evaluators", left)
        fields.draw("baselines", right)
        fields.draw("architectures", left, choices=_other_networks(config, earlier))
        fields.draw("seeds", right)
        tune = left.toggle(
            "Tune learning rate",
            bool(earlier.learning_rates),
            help=f"The best of {', '.join(map(str, _RATES))} on held-out training clips.",
        )
        if not st.form_submit_button("Evaluate", icon=":material/straighten:"):
            return
    if not evaluators:
        st.error("Select at least one evaluator.")
        return
    overrides = {"run": run.id, "learning_rates": _RATES if tune else (), **fields.values}
    show_errors(lambda: job_panel.start(EvaluationJob.from_overrides(overrides, runs_path())))


def _other_networks(config: DistillConfig, earlier: EvaluationConfig) -> list[str]:
    """Networks that are not the evaluation's own and can take the run's images."""
    return [name for name in NETWORKS if name != earlier.network.name and _fits(config, earlier, name)]


def _fits(config: DistillConfig, earlier: EvaluationConfig, name: str) -> bool:
    try:
        check_shape(earlier.network.model_copy(update={"name": name}), config.feature.shape(config.samples))
    except ValueError:
        return False
    return True
