"""What a matching pursuit can be asked for."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class PursuitConfig(BaseModel):
    """A matching pursuit.

    Attributes:
        atoms: shapes to choose from: Gabor atoms, damped sinusoids, both, or waveforms learnt from the clip itself.
        orthogonal: the amplitudes of atoms that overlap are fitted anew together after each atom.
        snr_db: enough; the pursuit then ends before all atoms are found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    atoms: Literal["gabor", "damped", "both", "learned"] = "gabor"
    orthogonal: bool = False
    snr_db: Annotated[float, Field(gt=0, le=120)] | None = None
