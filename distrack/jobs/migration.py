"""Migration of the configs that earlier versions wrote: the one place that knows their form."""

from collections.abc import Mapping
from typing import Any


def migrated(config: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a `config.json` in today's form; one that has today's form is returned as it is.

    Earlier versions stored no kind: a decomposition had a `method`, a condensation a `budget_seconds`, a sweep its
    `distillations`, a preparation the field `download`, and everything else was a distillation.
    """
    if "kind" in config:
        current: dict[str, Any] = dict(_with_unstored(config))
        if isinstance(config.get("distillations"), list):
            current["distillations"] = [_with_unstored(cell) for cell in config["distillations"]]
        return current
    if "method" in config:
        return {"kind": "decomposition", **migrated_decomposition(config)}
    if "distillations" in config:
        kind = "condensation" if "budget_seconds" in config else "sweep"
        cells = [_with_unstored(_migrated_distillation(cell)) for cell in config["distillations"]]
        return {"kind": kind, **config, "distillations": cells}
    if "download" in config:
        fields = ("dataset", "data_path", "duration", "download")
        return {"kind": "preparation", **{name: config[name] for name in fields if name in config}}
    return {"kind": "distillation", **_with_unstored(_migrated_distillation(config))}


def _with_unstored(config: Any) -> Any:
    """A distillation that says what earlier versions did not store.

    They had no regression, and evaluated with images alone, and by AdamW, with steps, rate and batches that suit it.
    """
    if not isinstance(config, Mapping):
        return config
    if config.get("kind") == "evaluation":
        return _with_recipe(config)
    evaluation = config.get("evaluation")
    stored = {"evaluation": _with_recipe(evaluation)} if isinstance(evaluation, Mapping) else {}
    return {**_without_news(config), **stored}


def _migrated_distillation(config: Any) -> Any:
    # Imported here because a decomposition needs no torch.
    from distrack.distill.migration import migrated_distillation

    return migrated_distillation(config)


def _without_news(config: Mapping[str, Any]) -> dict[str, Any]:
    if "objective" not in config:
        return dict(config)
    from distrack.distill.migration import without_news

    return without_news(config)


def _with_recipe(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """An evaluation that says what it learns from and how. Without an optimiser a whole recipe is that of AdamW."""
    unstored: dict[str, Any] = {} if "forms" in evaluation else {"forms": ["image"]}
    if "optimiser" not in evaluation and {"steps", "epochs", "batch_size", "learning_rate"} <= set(evaluation):
        unstored["optimiser"] = "adamw"
    return {**evaluation, **unstored}


def migrated_decomposition(config: Mapping[str, Any]) -> dict[str, Any]:
    """A decomposition's configuration as it is written today.

    Earlier versions stored the method as a name, beside the settings of every method: ``pursuit`` and ``splat``.

    >>> migrated_decomposition({"method": "splat", "pursuit": {"atoms": "both"}, "splat": {"iterations": 5}})
    {'method': {'name': 'splat', 'iterations': 5}}
    """
    config = dict(config)
    settings = {name: config.pop(name, {}) for name in ("pursuit", "splat")}
    if isinstance(config.get("method"), str):
        name = config["method"]
        config["method"] = {"name": name, **settings["splat" if name == "splat" else "pursuit"]}
    return config
