"""The sounds of the studio in one player: original, reconstruction, residual, edited events, selection."""

import numpy as np
import streamlit as st

from distrack import runs
from distrack.arrays import Floats
from distrack.audio import flac_bytes, loudness
from distrack.decompose import Events, soloed
from distrack.decompose.plane import plane
from distrack.figures.images import image_png
from distrack.ui.decompose.events_in_view import sound_of
from distrack.ui.decompose.plane_view import digest
from distrack.ui.sound import PlayerSource, Sound, player


def draw(run: runs.Run, wave: Floats, rate: int, decomposed: Events, edited: Events, selection: list[int]) -> None:
    """Draws the player.

    Args:
        wave: the original, ``[channels, samples]``.
        decomposed: the events before all edits.
        edited: the events after all edits.
        selection: numbers of the selected events.
    """
    reconstruction = sound_of(decomposed)
    length = min(wave.shape[1], reconstruction.shape[1])
    sounds = [
        ("Original", "The decomposed clip.", wave),
        ("Reconstruction", "Sum of all events.", reconstruction),
        ("Residual", "Original minus events.", wave[:, :length] - reconstruction[:, :length]),
    ]
    if edited is not decomposed:
        sounds.append(("Edited", "The events after your edits.", sound_of(edited)))
    if selection:
        alone = soloed(edited, np.array(selection))
        text = f"Event {selection[0]} alone." if len(selection) == 1 else f"{len(selection)} selected events alone."
        sounds.append(("Selection", text, sound_of(alone)))
    longest = max(samples.shape[1] for _, _, samples in sounds) / rate
    sources = [PlayerSource(title, text, (_sound(digest(samples), samples, rate),)) for title, text, samples in sounds]
    player(sources, title="Clip and events", seconds=longest, key=f"sounds-{run.id}")


@st.cache_data(max_entries=64, show_spinner=False)
def _sound(content: str, _wave: Floats, rate: int) -> Sound:  # noqa: ARG001
    # Scaled so that no sample clips; the player brings all sounds to the same loudness.
    scaled = _wave / max(float(np.abs(_wave).max(initial=0.0)), 1.0)
    spectrogram = plane(_wave, rate)
    image = image_png(spectrogram.image, low=-70, high=0, height=160, width=640)
    return Sound(flac_bytes(scaled, sample_rate=rate), loudness(scaled, sample_rate=rate), image)
