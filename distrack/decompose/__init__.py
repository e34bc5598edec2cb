"""Decomposition: a clip as a few dozen events that can be moved like notes."""

from distrack.decompose import pursuit, splat  # noqa: F401
from distrack.decompose.combining import mix, morph
from distrack.decompose.config import DecomposeConfig
from distrack.decompose.decomposer import DECOMPOSERS, KINDS, Box, Column, Decomposer, Kind, Progress
from distrack.decompose.editing import (
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
from distrack.decompose.edits import EDITS, Edit, History, apply
from distrack.decompose.events import Events
from distrack.decompose.midi import Midi, to_midi
from distrack.decompose.quality import snr_db, spectral_convergence
from distrack.decompose.rendering import Written, render, render_to, soloed
from distrack.decompose.rooms import known_rooms, room_named, with_room
from distrack.decompose.selecting import in_box, in_pitch, mask, strongest

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
    "Midi",
    "Progress",
    "Written",
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
    "with_room",
]
