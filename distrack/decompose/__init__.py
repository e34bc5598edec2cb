"""Decomposition: a sound becomes a few dozen events, which can be edited like notes.

Every module and folder here is imported, so that its methods, kinds of event and edits are registered: adding one is
adding a file. The edits are functions of `transforms` and `combining`; `apply` does stored ones by name.
"""

from distrack.decompose.decomposer import DECOMPOSERS, DecomposeConfig, Decomposer, Progress
from distrack.decompose.edits import EDITS, Edit, History, apply
from distrack.decompose.events import KINDS, Box, Column, Events, Kind
from distrack.decompose.midi import to_midi
from distrack.decompose.quality import snr_db, spectral_convergence
from distrack.decompose.rendering import Rendered, render, render_part, render_to, soloed
from distrack.decompose.rooms import known_rooms, room_named
from distrack.decompose.selecting import in_box, in_pitch, mask, strongest
from distrack.registry import discover

__all__ = [
    "DECOMPOSERS",
    "EDITS",
    "KINDS",
    "Box",
    "Column",
    "DecomposeConfig",
    "Decomposer",
    "Edit",
    "Events",
    "History",
    "Kind",
    "Progress",
    "Rendered",
    "apply",
    "in_box",
    "in_pitch",
    "known_rooms",
    "mask",
    "render",
    "render_part",
    "render_to",
    "room_named",
    "snr_db",
    "soloed",
    "spectral_convergence",
    "strongest",
    "to_midi",
]

discover(__name__, __path__)
