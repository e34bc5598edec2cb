"""Upload: a person's own recordings become a dataset."""

import streamlit as st

from distrack.datasets.upload import store_upload
from distrack.settings import settings
from distrack.sound_file import EXTENSIONS
from distrack.ui.shared.page import errors_shown


def show() -> None:
    """The form of an upload."""
    with st.expander("Upload recordings", icon=":material/upload:"):
        formats = "WAV, FLAC, OGG, Opus, MP3, AIFF, AU, CAF, W64 and other formats that libsndfile reads"
        st.markdown(f"Upload a zip or a folder with one subfolder per class. Accepted: {formats}.")
        name = st.text_input("Name", placeholder="my-sounds", help="Letters, digits, dashes and underscores.")
        left, right = st.columns(2)
        archive = left.file_uploader("Zip file", type=["zip"])
        folder = right.file_uploader("Folder", accept_multiple_files="directory", type=sorted(EXTENSIONS))
        files = [archive] if archive is not None else list(folder or [])
        if st.button("Create dataset", type="primary", disabled=not (name and files), key="upload"):
            uploads = ((file.name, file) for file in files)
            with errors_shown():
                with st.spinner("Saving"):
                    stored = store_upload(name, uploads, data_path=settings().data_path)
                st.query_params.from_dict({"dataset": "FOLDER", "path": str(stored)})
                st.rerun()
