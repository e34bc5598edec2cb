"""Vocoder: sounds that a fixed inversion makes of images, of which the strongest cosine coefficients are stored."""

from distrack.distill.parameterisations.contract import PARAMETERISATIONS
from distrack.distill.parameterisations.dct import CosineCoefficients, CosineConfig


@PARAMETERISATIONS.register("vocoder", config=CosineConfig)
class Vocoder(CosineCoefficients):
    """Stores cosine coefficients of the images of sounds, in the storage of whole waveforms.

    Most numbers of a waveform describe its phase, which networks hardly see. Here the storage holds magnitudes alone,
    and the phase comes from the inversion that also makes images audible: it is the same for all tracks, has nothing
    that is learnt, and its name is in the file of the synthetic set. The image that a network sees is that of the
    sound.

    Source:
        Dudley, "The Vocoder", Bell Labs Record 18, 1939 (sound as slowly varying levels of frequency bands, without its
        waveform).
    """

    summary = "strongest DCT coefficients of its image, made audible by a fixed inversion"
    domains = ("waveform",)
    stores_images = True
    factors = (1, 2, 4, 8, 16, 32, 64)

    @classmethod
    def usual_factor(cls, ipc: int) -> int:
        # Chosen by the measurements in `benchmarks/sounds.md`.
        return 32 if ipc < 5 else 8
