"""Sound in the browser: a soundboard of all tracks, a player of sounds to compare, pads of a blind test, and a map."""

from distrack.ui.sound.board import KEYS, TILE_HEIGHT, Sheet, sheets, soundboard
from distrack.ui.sound.map import Place, SoundSheet, sound_map
from distrack.ui.sound.overview import overview
from distrack.ui.sound.pads import pads
from distrack.ui.sound.player import PlayerSource, Sound, player
from distrack.ui.sound.recording import recording

__all__ = [
    "KEYS",
    "TILE_HEIGHT",
    "Place",
    "PlayerSource",
    "Sheet",
    "Sound",
    "SoundSheet",
    "overview",
    "pads",
    "player",
    "recording",
    "sheets",
    "sound_map",
    "soundboard",
]
