"""Every page starts over inside the app when it is the first thing that a new server is asked for."""

import subprocess
import sys

from distrack.settings import PROJECT

# What Streamlit does with the folder `pages/` before `app.py` has run: it runs a page's script alone.
ALONE = """
import runpy, sys
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

class StartedOver(Exception): pass

def start_over(): raise StartedOver

st.rerun = start_over
for page in sys.argv[1:]:
    # The second session began as the first one did, which has started over meanwhile.
    for older in (True, False):
        st.session_state.clear()
        PagesManager.uses_pages_directory = older
        try:
            runpy.run_path(page)
        except StartedOver:
            print(page)
        assert not PagesManager.uses_pages_directory, page
"""


def test_every_page_starts_over_inside_the_app() -> None:
    pages = sorted(map(str, (PROJECT / "pages").glob("*.py")))
    assert pages
    # A process of its own: in this one the app has been loaded.
    ended = subprocess.run(
        [sys.executable, "-c", ALONE, *pages], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.split("\n")[:-1] == [page for page in pages for _ in range(2)]
