"""Settings: traits that know where each value came from, and the file that saves them.

The highest of these wins: this kernel (``%config``, ``/use``, the panel), the
environment, ``ipython_config.py``, the saved value, the default.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from traitlets import HasTraits, TraitError, Unicode
from traitlets.config import Config, Configurable
from traitlets.config.loader import DeferredConfig

from .errors import SettingError, did_you_mean

# Where a value can come from.
DEFAULT = "default"
SAVED = "saved"
FILE = "ipython_config.py"
ENVIRONMENT = "environment"
KERNEL = "this kernel"

RENAMED: Mapping[tuple[str, str], str] = {
    ("Buddy", "blank_secrets"): "redact_secrets",
}
"""Settings in saved files that have another name now, by class and old name."""


class Configured(Configurable):
    """A Configurable that remembers where each of its settings came from.

    ``%config`` is a change in this kernel: it sets only what it names. An invalid value
    is refused with the reason, and the old one stays. (Traitlets itself would load all
    earlier configuration again over later changes.)
    """

    environment: ClassVar[Mapping[str, str]] = {}
    """The environment variables that set traits, by the name of the trait."""

    def __init__(
        self,
        *,
        saved: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.origins: dict[str, str] = {}
        self.problems: list[str] = []
        self.configured: list[str] = []
        """The settings that ``%config`` has set since they were last looked at."""
        self._below_environment: dict[str, tuple[Any, str]] = {}
        self._read_variables: dict[str, str] = {}
        super().__init__(**kwargs)
        self.observe(self._note_change)
        if saved:
            self._take_saved(saved)
        # An invalid value is reported by the next reading, which has a caller to tell.
        with contextlib.suppress(SettingError):
            self.read_environment()

    def _load_config(
        self,
        cfg: Config,
        section_names: Any = None,
        traits: Any = None,
    ) -> None:
        self._take(self._find_my_config(cfg), FILE)

    def _take_saved(self, saved: Mapping[str, Any]) -> None:
        for name, value in saved.items():
            if self.origin(name) != FILE:
                self._take({name: value}, SAVED)

    def _take(self, values: Mapping[str, Any], origin: str) -> None:
        """Set each value by itself, so that the others are set if one is invalid."""
        for name, value in values.items():
            if name not in self.traits(config=True):
                problem = self._unknown(name)
                self.problems.append(f"{problem} (from {origin})")
                continue
            try:
                self._set(name, value, origin)
            except SettingError as error:
                self.problems.append(str(error))

    def update_config(self, config: Config) -> None:
        """Set what ``config`` names for this class, as a change in this kernel.

        Raises
        ------
        traitlets.TraitError
            When a name or a value is invalid; then nothing has changed.
        """
        self.change(self._find_my_config(config))
        # IPython gives each `%config` to all classes.
        section = type(self).__name__
        if section in config:
            self.configured += config[section]

    def change(self, values: Mapping[str, Any]) -> None:
        """Set these settings in this kernel.

        Raises
        ------
        traitlets.TraitError
            When a name or a value is invalid; then nothing has changed.
        """
        for name in values:
            if name not in self.traits(config=True):
                raise TraitError(self._unknown(name))
        before = dict(self.origins)
        try:
            with self.hold_trait_notifications():
                for name, value in values.items():
                    parsed = _parsed(value, self, name)
                    setattr(self, name, parsed)
                # Before observers are called: one that reads the environment then must
                # not undo the change.
                self.origins.update(dict.fromkeys(values, KERNEL))
        except TraitError:
            self.origins = before
            raise

    def origin(self, name: str) -> str:
        """Return where the value of a setting came from."""
        return self.origins.get(name, DEFAULT)

    def read_environment(self) -> None:
        """Set what the environment says now, unless it was set in this kernel.

        Only variables that have changed since the last reading are used. So another
        thread that reads an unchanged environment cannot undo a change in this kernel.

        Raises
        ------
        SettingError
            When a variable holds an invalid value.
        """
        for name, variable in self.environment.items():
            text = os.environ.get(variable, "")
            if text != self._read_variables.get(name, ""):
                self._use_variable(name, variable, text)
                self._read_variables[name] = text

    def _use_variable(self, name: str, variable: str, text: str) -> None:
        origin = self.origin(name)
        is_from_environment = origin.startswith(ENVIRONMENT)
        if text and origin != KERNEL:
            if not is_from_environment:
                self._below_environment[name] = (getattr(self, name), origin)
            self._set(name, text, f"{ENVIRONMENT} {variable}")
        elif is_from_environment and not text:
            value, origin = self._below_environment.pop(name)
            self._set(name, value, origin)

    def saved_state(self) -> dict[str, Any]:
        """Return what to save: the settings that differ from their defaults, without
        those that hold secrets.
        """
        state = {}
        for name, trait in self.traits(config=True).items():
            if trait.metadata.get("secret"):
                continue
            value = getattr(self, name)
            if value != trait.default():
                state[name] = value
        return state

    def _set(self, name: str, value: Any, origin: str) -> None:
        try:
            parsed = _parsed(value, self, name)
            setattr(self, name, parsed)
        except TraitError as error:
            setting = f"{type(self).__name__}.{name}"
            raise SettingError(f"{setting} from {origin}: {error}") from error
        self.origins[name] = origin

    def _note_change(self, change: Mapping[str, Any]) -> None:
        self.origins[change["name"]] = KERNEL

    def _unknown(self, name: str) -> str:
        problem = f"{type(self).__name__} has no setting {name!r}"
        names = self.traits(config=True)
        suggestion = did_you_mean(name, names)
        if suggestion is not None:
            problem += f". {suggestion.text}"
        return problem


def _parsed(value: Any, owner: HasTraits, name: str) -> Any:
    """Return a text from a command line or the environment as the type of the trait;
    other values stay.
    """
    trait = owner.traits()[name]
    if isinstance(value, DeferredConfig):
        return value.get_value(trait)
    if not isinstance(value, str):
        return value
    # A Unicode trait takes the text as it is: traitlets' own parser would strip quotes
    # and expand a ~ at its beginning.
    if isinstance(trait, Unicode):
        return value
    try:
        return trait.from_string(value)
    except (ValueError, TypeError) as error:
        raise TraitError(f"{value!r} is not a valid value: {error}") from error


class SavedSettings:
    """The file ``codebuddy.json``: ``{class name: {trait: value}}``.

    Only its owner can read it. It holds no keys.

    Parameters
    ----------
    path
        The file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> tuple[dict[str, dict[str, Any]], str]:
        """Read the file.

        Returns
        -------
        tuple
            The settings, and a line for the user if they cannot be read.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
            content = json.loads(text)
            state = {}
            for owner, values in content.items():
                state[str(owner)] = _renamed(owner, dict(values))
            return state, ""
        except FileNotFoundError:
            return {}, ""
        except (OSError, ValueError, TypeError, AttributeError) as error:
            problem = f"The saved settings in {self.path} cannot be read ({error})"
            return {}, f"{problem}; they are ignored."

    def save(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the file in one step: others read the old or the new content, never a
        part.
        """
        text = json.dumps(state, indent=2, sort_keys=True)
        write_private(self.path, f"{text}\n")


def _renamed(owner: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the saved settings of a class under their present names."""
    for (renamed_owner, old), new in RENAMED.items():
        if owner == renamed_owner and old in values:
            value = values.pop(old)
            values.setdefault(new, value)
    return values


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read (mode 0600), in one step.

    Raises
    ------
    SettingError
        When it cannot be written; the earlier content stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp creates it with mode 0600.
        handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(name, path)
        except BaseException:
            # An interrupt, too, must not leave a partial file.
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = error.strerror or error
        raise SettingError(f"{path} cannot be written: {reason}") from error


def default_settings_path() -> Path:
    """Return the file of saved settings in Jupyter's configuration directory."""
    from jupyter_core.paths import jupyter_config_dir

    return Path(jupyter_config_dir(), "codebuddy.json")
