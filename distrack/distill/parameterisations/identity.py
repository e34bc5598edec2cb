"""Identity: the tracks themselves are stored."""

from torch import Tensor

from distrack.distill.parameterisations.contract import PARAMETERISATIONS, Examples, Parameterisation, Stored


@PARAMETERISATIONS.register("identity")
class Identity(Parameterisation):
    """Stores every number of a track."""

    summary = "all values"

    def store(self, tracks: Tensor, examples: Examples) -> Stored:  # noqa: ARG002
        return {"parameters": tracks}

    def render(self, parameters: Tensor, stored: Stored) -> Tensor:  # noqa: ARG002
        return parameters
