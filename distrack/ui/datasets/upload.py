"""Upload: a person's own recordings become a dataset."""

from collections.abc import Sequence
from typing import BinaryIO

import streamlit as st

from distrack.datasets.upload import preview, store_upload
from distrack.datasets.zip_names import ENCODINGS
from distrack.settings import settings
from distrack.sound_file import EXTENSIONS, UNREADABLE
from distrack.ui.shared.page import errors_shown, sentence

# Most folders that are listed before an upload is stored.
_LISTED = 30


def show() -> None:
    """The form of an upload."""
    with st.expander("Upload recordings", icon=":material/upload:"):
        formats = "WAV, FLAC, OGG, Opus, MP3, AIFF, AU, CAF, W64 and other formats that libsndfile reads"
        st.markdown(f"Upload a zip or a folder with one subfolder per class. Accepted: {formats}.")
        name = st.text_input("Name", placeholder="my-sounds", help="Letters, digits, dashes and underscores.")
        left, right = st.columns(2)
        # Streamlit keeps the last file of an uploader in memory after it is removed; another key is another uploader.
        state = st.session_state
        number = state.setdefault("uploaders", 0)
        archive = left.file_uploader("Zip file", type=["zip"], key=f"zip-{number}")
        folder = right.file_uploader(
            "Folder", accept_multiple_files="directory", type=sorted(EXTENSIONS | UNREADABLE), key=f"folder-{number}"
        )
        files = [archive] if archive is not None else list(folder or [])
        had, state["uploaded"] = state.get("uploaded", False), bool(files)
        if had and not files:
            state["uploaders"] += 1
            st.rerun()
        uploads = [(file.name, file) for file in files]
        with errors_shown():
            encoding = _shown(uploads) if files else None
            if st.button("Create dataset", type="primary", disabled=not (name and files), key="upload"):
                with st.spinner("Saving"):
                    stored = store_upload(name, uploads, data_path=settings().data_path, encoding=encoding)
                st.query_params.from_dict({"dataset": "FOLDER", "path": str(stored)})
                st.rerun()


def _shown(uploads: Sequence[tuple[str, BinaryIO]]) -> str | None:
    """Shows the classes before anything is stored, and asks for the encoding where a zip does not tell it."""
    found = preview(uploads)
    if (encoding := found.encoding) is not None:
        encodings, about = (
            list(ENCODINGS),
            "This zip does not tell the encoding of its names. Choose another if they are wrong.",
        )
        encoding = st.selectbox(
            "Language of the names", encodings, encodings.index(encoding), format_func=ENCODINGS.__getitem__, help=about
        )
        if encoding != found.encoding:
            found = preview(uploads, encoding=encoding)
    listed = ", ".join(f"{name} ({count:,})" for name, count in list(found.classes.items())[:_LISTED])
    more = f" and {len(found.classes) - _LISTED} more" if len(found.classes) > _LISTED else ""
    left_out = f" {found.left_out:,} other files are left out." if found.left_out else ""
    st.caption(f"{len(found.classes)} folders: {listed}{more}.{left_out}")
    for note in found.notes:
        st.warning(sentence(note))
    return encoding
