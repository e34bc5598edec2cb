"""Engines: where a job's process is started. `local` is this machine, `ray` a cluster."""

from distrack.engines.contract import LOCAL, EngineConfig

__all__ = ["LOCAL", "EngineConfig"]
