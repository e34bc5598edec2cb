"""Settings of a machine: paths, port and device, from the environment and from `.env`."""

from functools import cache
from pathlib import Path
from typing import Annotated

import pydantic
from pydantic import AfterValidator, AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from distrack.errors import ConfigError

PROJECT = Path(__file__).resolve().parent.parent
# No shell expands the ~ of a path in .env.
UserPath = Annotated[Path, AfterValidator(Path.expanduser)]


def user_path(text: str | Path) -> Path:
    """A path as a person typed it, absolute and without links.

    Raises:
        ConfigError: the system cannot follow it.
    """
    try:
        return Path(text).expanduser().resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"path {str(text)[:200]!r} cannot be followed: {error}") from None


def _named(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class Settings(BaseSettings):
    """What differs from machine to machine; `.env.example` lists every name."""

    model_config = SettingsConfigDict(env_file=PROJECT / ".env", extra="ignore", frozen=True, env_ignore_empty=True)

    runs_path: UserPath = Field(PROJECT / "runs", validation_alias=_named("DISTRACK_RUNS_PATH"))
    data_path: UserPath = Field(PROJECT / "data", validation_alias=_named("DISTRACK_DATA_PATH"))
    audio_path: UserPath | None = Field(None, validation_alias=_named("AUDIO_PATH"))
    impulse_response_path: UserPath | None = Field(None, validation_alias=_named("IMPULSE_RESPONSE_PATH"))
    port: int = Field(8501, validation_alias=_named("PORT"), ge=1, le=65535)
    mirror: str | None = Field(None, validation_alias=_named("DISTRACK_MIRROR"))
    s3_bucket: str | None = Field(None, validation_alias=_named("S3_BUCKET"))
    device: str = Field("auto", validation_alias=_named("DISTRACK_DEVICE"))
    plugins: str = Field("", validation_alias=_named("DISTRACK_PLUGINS"))

    @property
    def cache_path(self) -> Path:
        """Where prepared datasets are kept; everything below it can be made again."""
        return self.data_path / "cache"


@cache
def settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        ConfigError: a variable holds an impossible value.
    """
    try:
        return Settings()
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"the environment (or .env) sets {first['loc'][0]} to {first['input']!r}: {first['msg']}"
        ) from None
