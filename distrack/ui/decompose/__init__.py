"""Pieces of the Decompose page: the form, a running decomposition, and the studio in which events are edited."""
