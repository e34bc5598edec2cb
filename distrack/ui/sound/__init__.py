"""Sound in the browser: a soundboard of all tracks, and a player that switches between sounds at the same position."""

from distrack.ui.sound.board import KEYS, Sheet, sheets, soundboard
from distrack.ui.sound.player import PlayerSource, Sound, player

__all__ = ["KEYS", "PlayerSource", "Sheet", "Sound", "player", "sheets", "soundboard"]
