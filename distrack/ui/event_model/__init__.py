"""Streamlit parts of the training of a model of events."""
