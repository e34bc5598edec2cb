"""The settings of a matching pursuit."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from distrack.decompose.decomposer import Method
from distrack.decompose.events import LONGEST, MOST_SHARED
from distrack.decompose.pursuit.steps import MAX_BITS, MIN_BITS
from distrack.decompose.pursuit.waveform_kind import LONGEST_WAVEFORM, MOST_WAVEFORMS
from distrack.errors import ConfigError
from distrack.validation import Option


class PursuitConfig(Method):
    """A matching pursuit."""

    uses_torch: ClassVar[bool] = False

    name: str = "matching-pursuit"
    atoms: Annotated[Literal["gabor", "damped", "both", "learned"], Field(title="Atom type")] = "gabor"
    """Gabor atoms, damped sinusoids, both, or waveforms learned from the clip itself."""
    orthogonal: Annotated[bool, Field(title="Orthogonal pursuit")] = True
    """Fit overlapping atoms together. Better, and takes up to twice as long."""
    snr_db: Annotated[float | None, Field(gt=0, le=120, title="Stop at SNR (dB)"), Option("snr")] = None
    """The pursuit ends once the reconstruction has this signal-to-noise ratio."""
    bits: Annotated[int | None, Field(ge=MIN_BITS, le=MAX_BITS, title="Max. bits an atom")] = None
    """Round Gabor atoms while they are searched, so that each takes about this many bits or less. 22 give the most
    decibels for a file size, 40 hardly differ from floats. Not given: 32 bits a number, 160 an atom."""
    waveforms: Annotated[int, Field(ge=1, le=MOST_WAVEFORMS)] = 8
    """Number of waveforms that are learned."""
    waveform_seconds: Annotated[float, Field(ge=0.002, le=LONGEST_WAVEFORM, title="Waveform length (s)")] = 0.05
    """Length of each learned waveform, or of the clip if that is shorter."""
    learning: Annotated[int, Field(ge=0, le=100, title="Learning rounds")] = 10
    """How often all waveforms are updated from the places where they were used."""

    @model_validator(mode="after")
    def _gabor_alone_has_bits(self) -> Self:
        if self.bits is not None and self.atoms != "gabor":
            raise ValueError(f"bits: only Gabor atoms are stored in few bits, not atoms={self.atoms!r}: leave one out")
        return self

    @property
    def longest(self) -> float:
        """Gabor atoms are found in a clip of any length."""
        return LONGEST if self.atoms == "gabor" else super().longest

    def check(self, sample_rate: int) -> None:
        """Refuses learned waveforms that together are larger than what events may share."""
        samples = self.waveforms * round(self.waveform_seconds * sample_rate)
        if self.atoms == "learned" and samples > MOST_SHARED:
            raise ConfigError(
                f"waveforms: {samples:,} samples in all of them, at most {MOST_SHARED:,} can be stored: learn fewer or "
                "shorter ones"
            )
