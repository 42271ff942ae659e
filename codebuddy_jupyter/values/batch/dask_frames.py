"""Maps over frames and bags of Dask: lazy, and asked for by the workers of a cluster.

What travels to the workers is the question and settings, never a key: each worker looks
up its own. Each asks the servers that its own configuration names.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ...buddy import Buddy
from ...errors import PromptError, Remedy
from ...question.kept_answers import not_asked
from ...question.options import Options
from ...settings.configured import DEFAULT, KERNEL
from ..form import WRAP, Form, form_of
from .leases import leases_of_worker
from .mapping import Map, MapOptions
from .template import ITEM, template_of

POOL = "codebuddy.pool"
"""The setting of Dask's configuration that names the servers of a worker."""

# The types of columns, which must be known before there is a value.
_TYPES = {"boolean": "boolean", "integer": "Int64", "number": "Float64"}

_setting_up = threading.Lock()


@dataclass(frozen=True)
class Plan:
    """What a worker must know of a map.

    Parameters
    ----------
    prompt, options
        The question, and what it sets for itself.
    provider
        The name of the provider.
    settings
        The settings of the Buddy.
    provider_settings
        Those of the provider, without secrets.
    """

    prompt: str
    options: MapOptions
    provider: str
    settings: Mapping[str, Any]
    provider_settings: Mapping[str, Any]


def is_dask(items: Any) -> bool:
    """Return whether an input is a frame, a column or a bag of Dask."""
    return _is_frame(items) or _is_bag(items)


def lazy_map(buddy: Buddy, items: Any, prompt: str, options: MapOptions) -> Any:
    """Return the values of a map as a lazy Series, frame or bag of Dask.

    Raises
    ------
    BuddyError
        If the question, the type or the provider cannot be used.
    """
    if buddy.kept_answers.mode(options.replay) == "only":
        raise not_asked()
    form = None
    if options.into is not None:
        form = form_of(options.into)
    plan = _plan(buddy, prompt, options)
    if _is_bag(items):
        template_of(prompt, [ITEM], may_append=True)
        return items.map_partitions(answer_bag, plan)
    is_column = items.ndim == 1
    if is_column:
        columns = [ITEM, str(items.name)]
    else:
        columns = [str(column) for column in items.columns]
    template_of(prompt, columns, may_append=is_column)
    meta = _meta(items, form)
    return items.map_partitions(answer_partition, plan, meta, meta=meta)


def sample_of_dask(items: Any, count: int) -> Any:
    """Return the first rows of a frame or a bag of Dask, which are computed."""
    if _is_bag(items):
        return list(items.take(count, npartitions=-1, warn=False))
    return items.head(count, npartitions=-1)


def _is_frame(items: Any) -> bool:
    frames = sys.modules.get("dask.dataframe")
    if frames is None:
        return False
    return isinstance(items, frames.DataFrame | frames.Series)


def _is_bag(items: Any) -> bool:
    bags = sys.modules.get("dask.bag")
    return bags is not None and isinstance(items, bags.Bag)


def _plan(buddy: Buddy, prompt: str, options: MapOptions) -> Plan:
    if not isinstance(options.model, str) or not isinstance(options.provider, str):
        one = Remedy("Name one; each worker can have a pool of servers of its own")
        raise PromptError("A map over Dask has one provider and one model.", one)
    chosen = Options(model=options.model, provider=options.provider)
    name, provider, model = buddy.loop.run(buddy.resolve(chosen))
    settings: dict[str, Any] = {}
    # What protects on a worker is never switched off from here.
    if provider.offline:
        settings["offline"] = True
        settings["allowed_hosts"] = buddy.allowed_hosts
    if buddy.redact_secrets:
        settings["redact_secrets"] = True
    if not buddy.keeps_chats():
        settings["keep_chats"] = False
    model = buddy.loop.run(provider.choose(model))
    # The answers that a notebook keeps are not those of the workers.
    of_workers = replace(
        options,
        provider=name,
        model=model,
        progress=False,
        replay="off",
    )
    return Plan(
        prompt,
        of_workers,
        name,
        settings,
        provider.saved_state(),
    )


def _meta(items: Any, form: Form | None) -> Any:
    """Return an empty Series or frame with the types of the values."""
    import pandas

    index = items._meta.index
    nothing = index[:0]
    if form is None or not form.fields:
        name = getattr(items._meta, "name", None)
        dtype = _dtype(form, WRAP)
        return pandas.Series([], index=nothing, name=name, dtype=dtype)
    columns = {}
    for field in form.fields:
        dtype = _dtype(form, field)
        columns[field] = pandas.Series([], index=nothing, dtype=dtype)
    return pandas.DataFrame(columns, index=nothing)


def _dtype(form: Form | None, field: str) -> str:
    """Return the type of the column for a field of a form."""
    if form is None:
        return "object"
    properties = form.schema["properties"]
    schema = properties.get(field, {})
    kind = str(schema.get("type"))
    return _TYPES.get(kind, "object")


# What the workers run


def answer_partition(part: Any, plan: Plan, meta: Any) -> Any:
    """Return the values of the rows of a partition."""
    values = _mapped(part, plan)
    if meta.ndim == 1:
        typed = values.astype(meta.dtype)
        return typed.rename(meta.name)
    types = dict(meta.dtypes)
    return values.astype(types)


def answer_bag(part: Any, plan: Plan) -> list[Any]:
    """Return the values of the items of a partition."""
    return list(_mapped(list(part), plan))


def _mapped(items: Any, plan: Plan) -> Any:
    buddy = _buddy_of_process()
    with _setting_up:
        _configure(buddy, plan)
    made = Map(buddy, items, plan.prompt, plan.options, leases_of_worker())
    return made.gather()


@functools.cache
def _buddy_of_process() -> Buddy:
    return Buddy()


def _configure(buddy: Buddy, plan: Plan) -> None:
    """Use the settings of a map, where this worker has none of its own."""
    buddy.change(dict(plan.settings))
    provider = buddy.provider_named(plan.provider)
    provider.read_environment()
    settings = {}
    for name, value in plan.provider_settings.items():
        if provider.origin(name) in (DEFAULT, KERNEL):
            settings[name] = value
    pool = _pool_of_worker()
    if pool and provider.has_trait("pool"):
        settings["pool"] = pool
    provider.change(settings)


def _pool_of_worker() -> list[str]:
    with suppress(ImportError):
        import dask

        return list(dask.config.get(POOL, []))
    return []
