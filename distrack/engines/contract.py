"""Where jobs are worked on, as a person gives it: on this machine, or on a Ray cluster with a share for each run."""

from typing import Annotated, Any, Literal

from pydantic import Field

from distrack.settings import settings
from distrack.validation import Config


def _usual(name: str) -> Any:
    return Field(default_factory=lambda: getattr(settings(), name), validate_default=True)


class EngineConfig(Config):
    """The engine that starts processes. It changes no result, so that it is not a part of a job's config."""

    engine: Literal["local", "ray"] = _usual("engine")
    """Where runs are worked on: this machine, or a Ray cluster; DISTRACK_ENGINE where it is not given."""
    address: str = _usual("address")
    """The cluster: auto for the one that this machine belongs to, HOST:PORT, or ray://HOST:PORT; DISTRACK_ADDRESS."""
    cpus_per_run: Annotated[float, Field(gt=0, le=4096, title="Cores per run")] = 1.0
    """Cores that each run has on the cluster."""
    gpus_per_run: Annotated[float, Field(ge=0, le=1024, title="GPUs per run")] = 0.0
    """GPUs that each run has on the cluster; a fraction shares one."""

    live_store: Annotated[str | None, Field(title="Live store")] = _usual("live_store")
    """Store that runs are written to while they are worked on, so that others watch them, and nodes of a cluster need
    no folder in common: s3://BUCKET/PREFIX, or a folder; DISTRACK_LIVE_STORE where it is not given."""

    @property
    def is_here(self) -> bool:
        """Whether runs are worked on by this machine."""
        return self.engine == "local"


LOCAL = EngineConfig(engine="local", address="auto", live_store=None)
