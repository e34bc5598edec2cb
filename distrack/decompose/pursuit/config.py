"""What a matching pursuit can be asked for."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class PursuitConfig(BaseModel):
    """A matching pursuit.

    Attributes:
        atoms: shapes to choose from: Gabor atoms, damped sinusoids, both, or waveforms learnt from the clip itself.
        orthogonal: the amplitudes of atoms that overlap are fitted anew together after each atom.
        snr_db: enough; the pursuit then ends before all atoms are found.
        waveforms: how many are learnt, with atoms="learned".
        waveform_seconds: length of each; shorter if the clip is.
        learning: how often all waveforms are made anew from what they were used for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    atoms: Literal["gabor", "damped", "both", "learned"] = "gabor"
    orthogonal: bool = False
    snr_db: Annotated[float, Field(gt=0, le=120)] | None = None
    waveforms: Annotated[int, Field(ge=1, le=256)] = 8
    waveform_seconds: Annotated[float, Field(ge=0.002, le=1.0)] = 0.05
    learning: Annotated[int, Field(ge=0, le=100)] = 10
