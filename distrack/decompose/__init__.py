"""Decomposition: a sound becomes a few dozen events, which can be edited like notes.

Every module and folder here is imported, so that its methods, kinds of event and edits are registered: adding one is
adding a file.
"""

from distrack.decompose.combining import mix, morph
from distrack.decompose.config import DecomposeConfig
from distrack.decompose.decomposer import DECOMPOSERS, Decomposer, Method, Progress
from distrack.decompose.edits import EDITS, Edit, History, apply
from distrack.decompose.events import KINDS, Box, Column, Events, Kind
from distrack.decompose.midi import Midi, to_midi
from distrack.decompose.quality import snr_db, spectral_convergence
from distrack.decompose.rendering import RenderedFile, render, render_to, soloed
from distrack.decompose.rooms import known_rooms, room_named
from distrack.decompose.selecting import in_box, in_pitch, mask, strongest
from distrack.decompose.transforms import (
    colour,
    copy,
    decay,
    gain,
    move,
    mute,
    quantise,
    remove,
    room,
    stretch,
    stretch_clip,
    transpose,
    unmute,
    wet,
)
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
    "Method",
    "Midi",
    "Progress",
    "RenderedFile",
    "apply",
    "colour",
    "copy",
    "decay",
    "gain",
    "in_box",
    "in_pitch",
    "known_rooms",
    "mask",
    "mix",
    "morph",
    "move",
    "mute",
    "quantise",
    "remove",
    "render",
    "render_to",
    "room",
    "room_named",
    "snr_db",
    "soloed",
    "spectral_convergence",
    "stretch",
    "stretch_clip",
    "strongest",
    "to_midi",
    "transpose",
    "unmute",
    "wet",
]

discover(__name__, __path__)
