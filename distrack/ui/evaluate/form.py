"""The form for further evaluations of a finished run. Cached measurements are not made again."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from distrack import runs
from distrack.distill import DistillConfig
from distrack.errors import DistrackError
from distrack.evaluate import BASELINES, EVALUATORS, Baseline, EvaluationConfig, Evaluator
from distrack.jobs.distillation import DistillJob
from distrack.jobs.evaluation import EvaluationJob, distillation_of
from distrack.networks import NETWORKS, check_shape
from distrack.registry import Registry
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import show_errors
from distrack.ui.shared.run_in_view import runs_path

# Learning rates that are compared on held-out clips.
_RATES = (0.002, 0.006, 0.02)


def show(run: runs.Run) -> None:
    """The form, and the start of an evaluation when its button is pressed."""
    try:
        config = distillation_of(run)
    except DistrackError as error:
        st.warning(str(error))
        return
    earlier = (config.evaluation if isinstance(config, DistillJob) else None) or EvaluationConfig()
    with st.expander("Run more evaluations"), st.form("measure", border=False):
        left, right = st.columns(2)
        evaluators = _menu(left, "evaluators", list(EVALUATORS), earlier.evaluators, _summaries(EVALUATORS))
        baselines = _menu(right, "baselines", list(BASELINES), earlier.baselines, _summaries(BASELINES))
        networks = _menu(left, "architectures", _other_networks(config, earlier), earlier.architectures)
        seeds = EvaluationConfig.model_fields["seeds"]
        count = right.number_input(seeds.title or "", 1, 100, earlier.seeds, help=seeds.description)
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
    overrides = {
        "run": run.id,
        "evaluators": evaluators,
        "baselines": baselines,
        "seeds": count,
        "architectures": networks,
        "learning_rates": _RATES if tune else (),
    }
    show_errors(lambda: job_panel.start(EvaluationJob.from_overrides(overrides, runs_path())))


def _menu(
    place: DeltaGenerator, field_name: str, options: Sequence[str], selected: Sequence[str], more_help: str = ""
) -> list[str]:
    field = EvaluationConfig.model_fields[field_name]
    return place.multiselect(field.title or "", options, selected, help=f"{field.description}{more_help}")


def _summaries(registry: Registry[Evaluator] | Registry[Baseline]) -> str:
    return "\n" + "".join(f"\n- {name}: {registry[name].summary}" for name in registry)


def _other_networks(config: DistillConfig, earlier: EvaluationConfig) -> list[str]:
    """Networks that are not the evaluation's own and can take the run's images."""
    return [name for name in NETWORKS if name != earlier.network.name and _fits(config, earlier, name)]


def _fits(config: DistillConfig, earlier: EvaluationConfig, name: str) -> bool:
    try:
        check_shape(earlier.network.model_copy(update={"name": name}), config.feature.shape(config.samples))
    except ValueError:
        return False
    return True
