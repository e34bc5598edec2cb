"""Sound in the browser: a soundboard of all tracks, a player of sounds to compare, and the pads of a blind test."""

from distrack.ui.sound.board import KEYS, TILE_HEIGHT, Sheet, sheets, soundboard
from distrack.ui.sound.pads import pads
from distrack.ui.sound.player import PlayerSource, Sound, player

__all__ = ["KEYS", "TILE_HEIGHT", "PlayerSource", "Sheet", "Sound", "pads", "player", "sheets", "soundboard"]
