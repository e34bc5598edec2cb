"""The form for further evaluations of a finished run. Cached measurements are not made again."""

import streamlit as st

from distrack import runs
from distrack.evaluate import EvaluationConfig
from distrack.jobs.distillation import DistillJob
from distrack.jobs.evaluation import EvaluationJob
from distrack.ui.distill.form import fitting_networks
from distrack.ui.shared import job_panel
from distrack.ui.shared.fields import Fields
from distrack.ui.shared.page import errors_shown
from distrack.ui.shared.run_in_view import job_of, runs_path

# Learning rates that are compared on held-out clips, in units of the recipe's own.
_RATES = (0.4, 1.0, 2.0)


def show(run: runs.Run) -> None:
    """The form, and the start of an evaluation when its button is pressed."""
    config = job_of(run, DistillJob)
    if config is None:
        return
    earlier = config.evaluation or EvaluationConfig()
    rates = tuple(round(each * earlier.learning_rate, 6) for each in _RATES)
    with st.expander("Run more evaluations"), st.form("measure", border=False):
        left, right = st.columns(2)
        fields = Fields(earlier, f"evaluate-{run.id}")
        evaluators = fields.draw("evaluators", left)
        fields.draw("baselines", right)
        fields.draw("forms", left)
        networks = fitting_networks(earlier.network, config.feature, config.samples)
        others = [name for name in networks if name != earlier.network.name]
        fields.draw("architectures", left, choices=others)
        fields.draw("seeds", right)
        tune = left.toggle(
            "Tune learning rate",
            bool(earlier.learning_rates),
            help=f"The best of {', '.join(map(str, rates))} on held-out training clips.",
        )
        if not st.form_submit_button("Evaluate", icon=":material/straighten:"):
            return
    if not evaluators:
        st.error("Select at least one evaluator.")
        return
    overrides = {"run": run.id, "learning_rates": rates if tune else (), **fields.values}
    with errors_shown():
        job_panel.start(EvaluationJob.from_overrides(overrides, runs_path()))
