"""Settings: traits that know where each value came from, and the file that saves them.

The highest of these wins: this kernel (``%config``, ``/use``, the panel), the
environment, ``ipython_config.py``, the saved value, the default.

The settings themselves are traits of the classes that use them: those of ``Buddy`` are in
``question/settings.py``, those of a provider in its class.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import stat
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from traitlets import Bool, Float, HasTraits, Int, TraitError, Unicode
from traitlets.config import Config, Configurable
from traitlets.config.loader import DeferredConfig, LazyConfigValue

from ..errors import SettingError, SettingRefused, did_you_mean
from .files import replacing

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
# Bytes of a file of settings or keys.
MAX_FILE = 1_000_000
# A device or a pipe that takes the place of a file must not block the kernel.
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
# How similar a section must be to another to be a slip, from 0 to 1.
SURELY_MEANT = 0.85
# Characters of a refused value in a message.
MOST_SHOWN = 60
# Files that were set aside beside each other.
MOST_ASIDE = 1000


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
        saved_problem: str = "",
        **kwargs: Any,
    ) -> None:
        self.origins: dict[str, str] = {}
        self.problems: list[str] = []
        self.configured: list[str] = []
        """The settings that ``%config`` has set since they were last looked at."""
        self._file_problems: list[str] = []
        self._saved_problems: list[str] = []
        self._below_environment: dict[str, tuple[Any, str]] = {}
        self._read_variables: dict[str, str] = {}
        super().__init__(**kwargs)
        self.observe(self._note_change)
        self.take_saved(saved or {}, saved_problem)
        # An invalid value is reported by the next reading, which has a caller to tell.
        with contextlib.suppress(SettingError):
            self.read_environment()

    def _load_config(
        self,
        cfg: Config,
        section_names: Any = None,
        traits: Any = None,
    ) -> None:
        before = len(self.problems)
        self._take(self._find_my_config(cfg), FILE)
        self._file_problems += self.problems[before:]

    @property
    def doubts(self) -> list[str]:
        """Lines about what files set in vain: settings that do not exist, and values that
        are refused. What the user meant by them is not known.
        """
        return self._file_problems + self._saved_problems

    @property
    def has_saved_doubts(self) -> bool:
        """Whether some of these are about saved settings."""
        return bool(self._saved_problems)

    def doubt_sections(self, sections: Collection[str]) -> None:
        """Note which sections of ``ipython_config.py`` are misspelt ones of these."""
        for section in self.config:
            meant = meant_section(section, sections)
            if meant:
                problem = f"The section {section!r} in {FILE} must be {meant!r}"
                self.problems.append(problem)
                self._file_problems.append(problem)

    def take_saved(self, saved: Mapping[str, Any], problem: str = "") -> None:
        """Use saved settings where nothing that wins over them has set a value.

        Parameters
        ----------
        saved
            The settings.
        problem
            A line about those that could not be read.
        """
        for earlier in self._saved_problems:
            self.problems.remove(earlier)
        before = len(self.problems)
        if problem:
            self.problems.append(problem)
        for name, value in saved.items():
            if self.origin(name) in (DEFAULT, SAVED):
                self._take({name: value}, SAVED)
        self._saved_problems = self.problems[before:]

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
        SettingRefused
            When a name or a value is invalid; then nothing has changed.
        """
        try:
            self.change(self._find_my_config(config))
        except TraitError as error:
            raise SettingRefused(str(error)) from None
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
                    self._change_one(name, value)
                # Before observers are called: one that reads the environment then must
                # not undo the change.
                self.origins.update(dict.fromkeys(values, KERNEL))
        except TraitError:
            self.origins = before
            raise

    def _change_one(self, name: str, value: Any) -> None:
        try:
            parsed = _parsed(value, self, name)
        except TraitError as error:
            raise TraitError(f"{type(self).__name__}.{name}: {error}") from None
        setattr(self, name, parsed)

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
            setattr(self, name, _parsed(value, self, name))
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
    """Return a text from a command line or the environment as the type of the trait,
    and what a configuration file adds to a list, a set or a dict as the whole; other
    values stay.
    """
    trait: Any = owner.traits()[name]
    try:
        if isinstance(value, LazyConfigValue):
            value = _added(value, getattr(owner, name))
        elif isinstance(value, DeferredConfig):
            value = value.get_value(trait)
        # A Unicode trait takes the text as it is: traitlets' own parser would strip
        # quotes and expand a ~ at its beginning.
        elif isinstance(value, str) and not isinstance(trait, Unicode):
            value = trait.from_string(value)
        if value is None and trait.allow_none:
            return value
        if hasattr(trait, "validate"):
            return trait.validate(owner, value)
        return value
    except (TraitError, ValueError, TypeError):
        # Messages of traitlets can contain a value that is secret.
        raise TraitError(
            f"it must be {_expected(trait)}{_given(value, trait)}"
        ) from None


def _added(addition: LazyConfigValue, value: Any) -> Any:
    """Return a list, a set or a dict with what ``c.Class.name.append(…)`` and the like
    add to it.
    """
    if isinstance(value, list | set | dict):
        return addition.get_value(value)
    raise TypeError("nothing can be added to it")


def _expected(trait: Any) -> str:
    """Return which values a trait takes, in words."""
    names = {Bool: "True or False", Int: "a whole number", Float: "a number"}
    expected = names.get(type(trait)) or str(trait.info())
    least = getattr(trait, "min", None)
    most = getattr(trait, "max", None)
    if least is not None:
        expected += f" of at least {least:g}"
    if most is None:
        return expected
    joint = "of at most"
    if least is not None:
        joint = "and at most"
    return f"{expected} {joint} {most:g}"


def _given(value: Any, trait: Any) -> str:
    """Return which value was refused, in words; nothing if it may be a secret."""
    if trait.metadata.get("secret"):
        return ""
    if isinstance(value, str | int | float):
        return f", not {str(value)[:MOST_SHOWN]!r}"
    return f", not a {type(value).__name__}"


class SavedSettings:
    """The file ``codebuddy.json``: ``{class name: {trait: value}}``.

    Only its owner can read it. It holds no keys.

    Parameters
    ----------
    path
        The file, which need not exist.
    sections
        Sections that it can have, for finding one that is misspelt. It can have others,
        of packages that are not installed now.

    Attributes
    ----------
    state : dict
        What the file says.
    problem : str
        A line for the user, if that is not all that it should say.
    aside : Path or None
        What became of the file in whose place another was written last.
    """

    def __init__(self, path: Path, sections: Collection[str] = ()) -> None:
        self.path = path
        self.aside: Path | None = None
        self._sections = sections
        self.state, self.problem = self.load()

    def read_mended(self, owners: Sequence[Configured]) -> None:
        """Read the file again, if it is in doubt what it says: the user may have mended
        it. The first of the owners of settings gets the line about it.
        """
        if not any(owner.has_saved_doubts for owner in owners):
            return
        self.state, self.problem = self.load()
        problem = self.problem
        for owner in owners:
            saved = self.state.get(type(owner).__name__, {})
            owner.take_saved(saved, problem)
            problem = ""

    def replace(self, owners: Sequence[Configured]) -> None:
        """Save what these owners have set, and what the file says of others.

        Raises
        ------
        SettingError
            When the file cannot be written; then the earlier file is in its place.
        """
        self.read_mended(owners)
        state = dict(self.state)
        for owner in owners:
            state[type(owner).__name__] = owner.saved_state()
        aside = None
        if any(owner.has_saved_doubts for owner in owners):
            aside = self.set_aside()
            # A misspelt section stays in that file alone.
            for section in self.state:
                if meant_section(section, self._sections):
                    del state[section]
        try:
            self.save(state)
        except SettingError:
            # Without any file, nothing would be in doubt in the next kernel.
            if aside is not None:
                aside.rename(self.path)
            raise
        self.state = state
        self.aside = aside
        self.read_mended(owners)

    def load(self) -> tuple[dict[str, dict[str, Any]], str]:
        """Read the file.

        Returns
        -------
        tuple
            The settings, and a line for the user if not all of them can be used.
        """
        try:
            content = read_sections(self.path)
        except FileNotFoundError as error:
            # A link whose target is away, such as that on a drive, is not no file.
            if not os.path.lexists(self.path):
                return {}, ""
            return (
                {},
                f"The saved settings in {self.path} cannot be read ({error.strerror})",
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            return {}, f"The saved settings in {self.path} cannot be read ({reason})"
        state = {}
        problem = ""
        for section, values in content.items():
            state[section] = _renamed(section, values)
            meant = meant_section(section, self._sections)
            if meant:
                problem = f"The section {section!r} in {self.path} must be {meant!r}"
        return state, problem

    def save(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the file in one step: others read the old or the new content, never a
        part.
        """
        text = json.dumps(state, indent=2, sort_keys=True)
        write_private(self.path, f"{text}\n")

    def set_aside(self) -> Path:
        """Rename the file, so that another can be written; return its new path.

        Raises
        ------
        SettingError
            When it cannot be renamed; then it must not be overwritten either.
        """
        for number in range(1, MOST_ASIDE):
            aside = self.path.with_name(f"{self.path.name}.aside-{number}")
            if os.path.lexists(aside):
                continue
            try:
                self.path.rename(aside)
            except OSError as error:
                reason = error.strerror or error
                raise SettingError(
                    f"{self.path} cannot be set aside: {reason}"
                ) from error
            return aside
        raise SettingError(
            f"{self.path} cannot be set aside: there are too many others."
        )


def read_sections(path: Path) -> dict[str, dict[str, Any]]:
    """Read a file of JSON that has settings by section.

    A pipe, a device, a folder or an endless file is refused without reading it.

    Raises
    ------
    OSError, ValueError
        When it cannot be read, or holds something else.
    """
    if path.is_dir():
        raise ValueError("it is a folder")
    # Also where a user's code has replaced the built-in open.
    with os.fdopen(os.open(path, _READ_FLAGS), "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise ValueError("it is not a regular file")
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise ValueError(f"it has more than {MAX_FILE:,} bytes")
    try:
        text = data.decode("utf-8-sig")
        content = json.loads(text, object_pairs_hook=_without_repeats)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("it is not an object of sections")
    for section, values in content.items():
        if not isinstance(values, dict):
            raise ValueError(
                f"{str(section)[:MOST_SHOWN]!r} is not a section of settings"
            )
    return content


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON, in which each name stands once."""
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name appears in it twice")
    return content


def meant_section(section: str, sections: Collection[str]) -> str:
    """Return the section that a misspelt one stands for; "" if it is not misspelt."""
    by_lower = {name.lower(): name for name in sections}
    if section in sections or not sections:
        return ""
    typed = section.lower()
    similar = difflib.get_close_matches(typed, by_lower, n=1, cutoff=SURELY_MEANT)
    if not similar:
        return ""
    return by_lower[similar[0]]


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
        with replacing(path, private=True) as file:
            file.write(text.encode())
    except OSError as error:
        reason = error.strerror or error
        raise SettingError(f"{path} cannot be written: {reason}") from error


def default_settings_path() -> Path:
    """Return the file of saved settings in Jupyter's configuration directory."""
    from jupyter_core.paths import jupyter_config_dir

    return Path(jupyter_config_dir(), "codebuddy.json")
