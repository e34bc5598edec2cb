"""Glossary: the terms of all pages in plain words."""

import distrack.ui.loaded  # noqa: F401

# isort: split
import streamlit as st

from distrack.ui.shared.glossary import GLOSSARY
from distrack.ui.shared.page import begin

begin("Glossary", "The terms of all pages in plain words. On the pages, point at a question mark to see them.")

words = st.text_input("Search", key="search", bind="query-params").lower()
found = {term: text for term, text in GLOSSARY.items() if words in f"{term} {text}".lower()}
for term, text in found.items():
    st.markdown(f"**{term}**  \n{text}")
if not found:
    st.info("No term has these letters.")
