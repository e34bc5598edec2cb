"""Distillation configs of earlier versions in the form of this one."""

from collections.abc import Mapping
from typing import Any

from distrack.distill.domains import DOMAINS
from distrack.distill.optimisers import OPTIMISERS
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.errors import ConfigError
from distrack.features import FEATURES
from distrack.registry import Registry, entry_name

# Settings that earlier versions kept beside the name of the entry that they belong to: setting -> field of the entry.
_MOVED: Mapping[str, tuple[str, Registry[Any]]] = {"momentum": ("optimiser", OPTIMISERS), "prior": ("domain", DOMAINS)}
# Settings that earlier versions gave to every feature.
_OF_SOME_FEATURES = ("n_mels", "n_mfcc")
# Settings that only a complete config has.
_COMPLETE = frozenset({"objective", "classification", "balance", "steps"})


def migrated_distillation(config: Any) -> Any:
    """A distillation's config as JSON, in today's form; what is in today's form, or no config, stays as it is.

    Earlier versions kept `momentum` and `prior` beside `optimiser` and `domain`, which were names, and every feature
    had `n_mels` and `n_mfcc`. A setting that the chosen entry does not have was ignored then and is left out here.

    >>> migrated_distillation({"optimiser": "sgd", "momentum": 0.9, "domain": "spectral", "prior": "none"})
    {'optimiser': {'momentum': 0.9, 'name': 'sgd'}, 'domain': 'spectral'}
    """
    if not isinstance(config, Mapping):
        return config
    result = dict(config)
    for setting, (field, registry) in _MOVED.items():
        if setting in result:
            value = result.pop(setting)
            if _has(registry, result.get(field), setting):
                entry = result[field]
                result[field] = {setting: value, **({"name": entry} if isinstance(entry, str) else entry)}
    feature = result.get("feature")
    if isinstance(feature, Mapping):
        unknown = [name for name in _OF_SOME_FEATURES if not _has(FEATURES, feature, name)]
        result["feature"] = {name: value for name, value in feature.items() if name not in unknown}
    return without_news(result)


def without_news(config: Mapping[str, Any]) -> dict[str, Any]:
    """A complete config without what its version did not have and presets have since.

    >>> without_news({"steps": 200})
    {'steps': 200}
    """
    if not config.keys() >= _COMPLETE:
        return dict(config)
    result = {"regression": 0.0, "students": {"count": 0}, "hearings": 0, **config}
    form = config.get("parameterisation")
    if _has(PARAMETERISATIONS, form, "prior") and (not isinstance(form, Mapping) or "prior" not in form):
        result["parameterisation"] = {"name": entry_name(form), "prior": "none"}
    return result


def _has(registry: Registry[Any], value: Any, setting: str) -> bool:
    """Whether the entry that a field names has a setting; an unknown entry has none."""
    try:
        return setting in registry.config(entry_name(value)).model_fields
    except (ConfigError, ValueError):
        return False
