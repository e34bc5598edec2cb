"""Settings of a machine: paths, port and device, from environment variables and from `.env`."""

import os
from functools import cache
from pathlib import Path
from typing import Annotated

import pydantic
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from distrack.errors import ConfigError

PROJECT = Path(__file__).resolve().parent.parent
# No shell expands the ~ of a path in .env.
UserPath = Annotated[Path, AfterValidator(Path.expanduser)]


def user_path(text: str | Path) -> Path:
    """A path as a person typed it, absolute and without links.

    Raises:
        ConfigError: the path cannot be resolved.
    """
    try:
        path = Path(text).expanduser().resolve()
        path.exists()  # a name may be too long for the disk
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"path {str(text)[:200]!r} cannot be resolved: {reason}") from None
    return path


# A path in a config, as a person typed it.
AbsolutePath = Annotated[Path, AfterValidator(user_path)]


class Settings(BaseModel):
    """Settings that differ from machine to machine; `.env.example` lists every variable."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    runs_path: UserPath = Field(PROJECT / "runs", validation_alias="DISTRACK_RUNS_PATH")
    data_path: UserPath = Field(PROJECT / "data", validation_alias="DISTRACK_DATA_PATH")
    audio_path: UserPath | None = Field(None, validation_alias="AUDIO_PATH")
    impulse_response_path: UserPath | None = Field(None, validation_alias="IMPULSE_RESPONSE_PATH")
    port: int = Field(8501, validation_alias="PORT", ge=1, le=65535)
    mirror: str | None = Field(None, validation_alias="DISTRACK_MIRROR")
    s3_bucket: str | None = Field(None, validation_alias="S3_BUCKET")
    device: str = Field("auto", validation_alias="DISTRACK_DEVICE")
    engine: str = Field("local", validation_alias="DISTRACK_ENGINE")
    address: str = Field("auto", validation_alias="DISTRACK_ADDRESS")
    live_store: str | None = Field(None, validation_alias="DISTRACK_LIVE_STORE")
    plugins: str = Field("", validation_alias="DISTRACK_PLUGINS")

    @property
    def cache_path(self) -> Path:
        """The folder of prepared datasets; everything below it can be computed again."""
        return self.data_path / "cache"


def read_settings(file: Path) -> Settings:
    """The settings of the environment, and of a file of such variables for those that the environment lacks.

    A variable without a value counts as not given.

    Raises:
        pydantic.ValidationError: a variable has a value that is not allowed.
    """
    given = {name: value for name, value in os.environ.items() if value}
    if file.is_file():
        from dotenv import dotenv_values

        given = {name: value for name, value in dotenv_values(file).items() if value} | given
    return Settings.model_validate(given)


@cache
def settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        ConfigError: a variable has a value that is not allowed.
    """
    try:
        return read_settings(PROJECT / ".env")
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"the environment (or .env) sets {first['loc'][0]} to {first['input']!r}. {first['msg']}"
        ) from None
