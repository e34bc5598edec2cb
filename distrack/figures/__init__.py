"""Figures from plain arrays, one module for each kind, so that a page loads only the plotting library it draws with.

Altair draws curves that grow during a run, Plotly figures that stand still, Pillow images.
"""
