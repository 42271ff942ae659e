"""What `codebuddy_jupyter.map` does with its arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from ...buddy import Buddy
from ...errors import Remedy, SettingError, did_you_mean
from .dask_frames import is_dask, lazy_map, sample_of_dask
from .inputs import sample_of
from .mapping import Map, MapOptions


def call_map(
    buddy: Buddy,
    items: Any,
    prompt: str,
    named: Mapping[str, Any],
    *,
    sample: int | None,
    dry_run: bool,
    stream: bool,
) -> Any:
    """Return what a map returns; ``named`` are options, the others those of
    `codebuddy_jupyter.map`.

    Raises
    ------
    BuddyError
        If the map cannot be made.
    """
    options = _map_options(named)
    if sample is not None and sample < 1:
        raise SettingError(f"A sample has 1 row or more, not {sample}.")
    if sample is not None and stream:
        raise SettingError("A map has a sample or a stream, not both.")
    if dry_run and isinstance(items, Iterator):
        raise SettingError(
            "A dry run would use up what can be read only once.",
            Remedy("Make a list of it", "buddy.map(list(items), …, dry_run=True)"),
        )
    if is_dask(items):
        if dry_run or stream:
            raise SettingError(
                "A map over Dask has a sample, but no dry run or stream."
            )
        if sample is None:
            return lazy_map(buddy, items, prompt, options)
        first_rows = sample_of_dask(items, sample)
        return Map(buddy, first_rows, prompt, options).gather()
    if sample is not None and not dry_run:
        return _mapped_sample(buddy, items, prompt, options, sample)
    mapped = Map(buddy, items, prompt, options)
    if dry_run:
        return mapped.estimate()
    if stream:
        return mapped.stream()
    return mapped.gather()


def _map_options(named: Mapping[str, Any]) -> MapOptions:
    """Return the options of these names.

    Raises
    ------
    SettingError
        If there is none of a name, or a value is invalid.
    """
    names = [field.name for field in fields(MapOptions)]
    for name in named:
        if name not in names:
            suggestion = did_you_mean(name, [*names, "sample", "dry_run", "stream"])
            remedies = [suggestion] if suggestion else []
            raise SettingError(f"buddy.map has no option {name!r}.", *remedies)
    return MapOptions(**named)


def _mapped_sample(
    buddy: Buddy, items: Any, prompt: str, options: MapOptions, count: int
) -> Any:
    """Return the values of the first rows, and tell what all of them would cost."""
    first_rows = sample_of(items, count)
    mapped = Map(buddy, first_rows, prompt, options)
    values = mapped.gather()
    may_ask = buddy.kept_answers.mode(options.replay) != "only"
    # What can be read once only is not read for an estimate.
    if may_ask and not isinstance(items, Iterator):
        whole = Map(buddy, items, prompt, options)
        mapped.tell(f"All of it: {whole.estimate()}.")
    return values
