"""A comparison of runs as a file: CSV for a spreadsheet, LaTeX for a paper, one HTML file for a reader, figures.

Each is made from the entries of `distrack.export.comparison`, and the same entries give the same bytes.
"""

from distrack.export.charts import figure_bytes
from distrack.export.file import ENDINGS, content
from distrack.export.latex import latex_text
from distrack.export.page import html_report
from distrack.export.spreadsheet import csv_text

__all__ = ["ENDINGS", "content", "csv_text", "figure_bytes", "html_report", "latex_text"]
