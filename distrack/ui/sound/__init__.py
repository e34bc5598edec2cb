"""Sound in the browser: a soundboard of all tracks, and a player that switches between what belongs to one."""

from distrack.ui.sound.board import KEYS, Sheet, sheets, soundboard
from distrack.ui.sound.player import Heard, Sound, player

__all__ = ["KEYS", "Heard", "Sheet", "Sound", "player", "sheets", "soundboard"]
