"""Settings: traits that know where each value came from, and the file that keeps what
was saved.

Who wins: this kernel (``%config``, ``/use``, the panel) > environment >
``ipython_config.py`` > saved > default.
"""

from __future__ import annotations

import difflib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from traitlets import HasTraits, TraitError, Unicode
from traitlets.config import Config, Configurable
from traitlets.config.loader import DeferredConfig

from .errors import SettingError

DEFAULT, SAVED, FILE, ENVIRONMENT, KERNEL = (
    "default",
    "saved",
    "ipython_config.py",
    "environment",
    "this kernel",
)


class Configured(Configurable):
    """A Configurable that remembers where each of its settings came from.

    ``%config`` is taken as a change in this kernel: only what it names is set, a bad
    value is refused with the reason, and the old one stays (traitlets' own way would
    load all earlier configuration again over later changes).
    """

    environment: ClassVar[Mapping[str, str]] = {}
    """Trait name to the environment variable that sets it."""

    def __init__(
        self, *, saved: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        self.origins: dict[str, str] = {}
        self.problems: list[str] = []
        self._below_environment: dict[str, tuple[Any, str]] = {}
        super().__init__(**kwargs)
        self.observe(self._note_change)
        self._take(
            {
                name: value
                for name, value in (saved or {}).items()
                if self.origin(name) != FILE
            },
            SAVED,
        )

    def _load_config(
        self, cfg: Config, section_names: Any = None, traits: Any = None
    ) -> None:
        self._take(self._find_my_config(cfg), FILE)

    def _take(self, values: Mapping[str, Any], origin: str) -> None:
        """Take each value by itself, so that a bad one costs only itself and one line."""
        for name, value in values.items():
            try:
                if name not in self.traits(config=True):
                    raise SettingError(f"{self._unknown(name)} (from {origin})")
                self._set(name, value, origin)
            except SettingError as error:
                self.problems.append(str(error))

    def update_config(self, config: Config) -> None:
        """Set what ``config`` names for this class, as a change in this kernel.

        Raises
        ------
        traitlets.TraitError
            For a value or a name that is not right; nothing has changed then.
        """
        self.change(self._find_my_config(config))

    def change(self, values: Mapping[str, Any]) -> None:
        """Set these settings in this kernel.

        Raises
        ------
        traitlets.TraitError
            For a value or a name that is not right; nothing has changed then.
        """
        for name in values:
            if name not in self.traits(config=True):
                raise TraitError(self._unknown(name))
        before = dict(self.origins)
        try:
            with self.hold_trait_notifications():
                for name, value in values.items():
                    setattr(self, name, _plain(value, self, name))
                # Before anybody is told: who looks at the environment then must not
                # take the change back.
                self.origins.update(dict.fromkeys(values, KERNEL))
        except TraitError:
            self.origins = before
            raise

    def origin(self, name: str) -> str:
        """Where the value of a setting came from."""
        return self.origins.get(name, DEFAULT)

    def read_environment(self) -> None:
        """Take what the environment says now, where this kernel has not said otherwise.

        Raises
        ------
        SettingError
            When a variable holds a value that cannot be.
        """
        for name, variable in self.environment.items():
            value = os.environ.get(variable, "")
            if value and self.origin(name) != KERNEL:
                if not self.origin(name).startswith(ENVIRONMENT):
                    self._below_environment[name] = (
                        getattr(self, name),
                        self.origin(name),
                    )
                self._set(name, value, f"{ENVIRONMENT} {variable}")
            elif not value and self.origin(name).startswith(ENVIRONMENT):
                self._set(name, *self._below_environment.pop(name))

    def saved_state(self) -> dict[str, Any]:
        """What is worth saving: the settings that differ from their defaults, without
        those that hold secrets.
        """
        return {
            name: getattr(self, name)
            for name, trait in self.traits(config=True).items()
            if getattr(self, name) != trait.default()
            and not trait.metadata.get("secret")
        }

    def _set(self, name: str, value: Any, origin: str) -> None:
        try:
            setattr(self, name, _plain(value, self, name))
        except TraitError as error:
            raise SettingError(
                f"{type(self).__name__}.{name} from {origin}: {error}"
            ) from error
        self.origins[name] = origin

    def _note_change(self, change: Mapping[str, Any]) -> None:
        self.origins[change["name"]] = KERNEL

    def _unknown(self, name: str) -> str:
        near = difflib.get_close_matches(
            name, self.traits(config=True), n=1, cutoff=0.5
        )
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{type(self).__name__} has no setting {name!r}{hint}"


def _plain(value: Any, owner: HasTraits, name: str) -> Any:
    """Text from a command line or the environment becomes what the trait holds; all
    else stays.
    """
    trait = owner.traits()[name]
    if isinstance(value, DeferredConfig):
        return value.get_value(trait)
    # A text is taken as it is: traitlets' own reading would strip quotes and expand a ~
    # at its beginning.
    if isinstance(value, str) and not isinstance(trait, Unicode):
        try:
            return trait.from_string(value)
        except (ValueError, TypeError) as error:
            raise TraitError(f"{value!r} is no value for it: {error}") from error
    return value


class SavedSettings:
    """The file ``codebuddy.json``:

    ``{class name: {trait: value}}``, readable by its owner alone. It holds no keys.

    Parameters
    ----------
    path
        Where the file is, or shall be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> tuple[dict[str, dict[str, Any]], str]:
        """Read the file: its settings, and a line for the user where it could not be
        read.
        """
        try:
            state = json.loads(self.path.read_text(encoding="utf-8"))
            return {str(k): dict(v) for k, v in state.items()}, ""
        except FileNotFoundError:
            return {}, ""
        except (OSError, ValueError, TypeError, AttributeError) as error:
            return (
                {},
                (
                    f"The saved settings in {self.path} could not be read "
                    f"({error}); they are left aside."
                ),
            )

    def save(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the file in one step: who reads it meanwhile sees the old or the new,
        never a half.
        """
        write_private(self.path, json.dumps(state, indent=2, sort_keys=True) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read (mode 0600), in one step.

    Raises
    ------
    SettingError
        When it cannot be written; what was there before stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp makes it 0600
        handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(name, path)
        except BaseException:
            # an interrupt, too, must leave no half of a file
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SettingError(
            f"{path} cannot be written: {error.strerror or error}"
        ) from error
