"""Exports: the tracks of a run as a bundle of files, and a comparison of runs as a table, a figure or a report.

`bundle` writes the tracks of one run with a dataset card. `formats` writes a comparison by the ending of its file; its
entries come from `comparison`, its tables from `scores`. The same runs give the same bytes.
"""
