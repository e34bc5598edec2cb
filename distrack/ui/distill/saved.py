"""Saved settings on the Distill page: one's own presets, to begin with, to save and to remove."""

import streamlit as st

from distrack.jobs import saved
from distrack.jobs.distillation import DistillJob
from distrack.settings import settings
from distrack.ui.shared.page import errors_shown

# The parameter of the URL that names the settings that the form begins with.
_PARAMETER = "settings"


def in_url() -> DistillJob | None:
    """The job that the form begins with; None if the URL names none, or one that cannot be read, which is shown."""
    name = st.query_params.get(_PARAMETER)
    if name is None:
        return None
    with errors_shown(st.warning):
        return saved.load(name)
    del st.query_params[_PARAMETER]
    return None


def menu(job: DistillJob) -> None:
    """A menu of all saved settings; in it the job's own are saved under a name."""
    with st.popover("Settings", icon=":material/bookmark:"):
        for name in saved.names():
            with st.container(horizontal=True, vertical_alignment="center"):
                if st.button(name, type="tertiary", help="Begin with these settings.", key=f"load-{name}"):
                    st.query_params.from_dict({_PARAMETER: name})
                    st.rerun()
                if st.button("", icon=":material/delete:", help=f"Remove {name}.", key=f"remove-{name}"):
                    saved.delete(name)
                    st.query_params.pop(_PARAMETER, None)
                    st.rerun()
        name = st.text_input("Save these settings as", placeholder="my-settings", key="settings-name").strip()
        if st.button("Save", icon=":material/save:", disabled=not name, key="save-settings"):
            with errors_shown():
                saved.save(name, job)
                st.rerun()
        st.caption(f"A file for `--config` in {settings().data_path / 'settings'}.")
