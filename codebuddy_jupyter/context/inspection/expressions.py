"""Reads expressions, and checks what is in them against the live kernel.

Nothing is run. What is not known for sure is taken to be right.
"""

from __future__ import annotations

import ast
import builtins
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..describe.code import is_installed
from ..describe.types import instance_dict, is_exactly, is_instance, try_loaded
from .abstract import (
    Arguments,
    Column,
    Frame,
    Grouped,
    Live,
    Located,
    Plotted,
    Row,
    Value,
    text_of,
    texts_in,
    try_all_texts,
    words,
)
from .attributes import attribute_of, live_instance
from .calls import check_call, constructed
from .columns import frame_library, index_names, kinds_of, try_columns
from .installed import is_installed_module
from .pandas_columns import column_step
from .pandas_groups import grouped_step
from .pandas_steps import changes_in_place, frame_step
from .plots import check_frame_plot, check_library_plot
from .polars_steps import polars_step
from .report import Report, owner_text
from .stored import Stored

# Functions that do not change the frames that are passed to them.
_HARMLESS = words("""print len type isinstance display list sorted set sum min max round str repr
    enumerate any all abs hasattr getattr id iter next tuple bool int float""")
_ROW_FUNCTIONS = frozenset({"apply"})
_MASKS = (ast.Compare, ast.BoolOp)
_MASK_OPERATORS = (ast.BitAnd, ast.BitOr, ast.BitXor)


class Expressions:
    """Reads the expressions of code, and knows what its names hold.

    Parameters
    ----------
    namespace
        The kernel's variables.
    report
        Gets the findings.
    stored
        What the code stores, and where.
    """

    def __init__(
        self, namespace: Mapping[str, object], report: Report, stored: Stored
    ) -> None:
        self._namespace = namespace
        self.report = report
        self._stored = stored
        self._names: dict[str, Value] = {}
        self._live_frames: dict[int, Frame] = {}
        # Levels of functions around the statement that is read.
        self._depth = 0
        # Names of the parameters and targets around the expression that is read.
        self._bound: list[Mapping[str, Value]] = []

    def begin(self, report: Report, stored: Stored) -> None:
        """Begin another piece of code, after those that were read."""
        self.report = report
        self._stored = stored
        self._allow_live_columns()

    # Names

    def lookup(self, name: str) -> Value:
        """Return what is known of a name."""
        for bound in reversed(self._bound):
            if name in bound:
                return bound[name]
        if self._depth and name in self._stored.names:
            # A function runs later, when the name may hold anything else.
            return None
        if name in self._names:
            return self._names[name]
        if name in self._namespace:
            return self._live(name, self._namespace[name])
        if name in vars(builtins):
            return Live(vars(builtins)[name])
        return None

    def _live(self, name: str, value: Any) -> Value:
        library = frame_library(value)
        if library:
            return self._live_frame(name, value, library)
        if value is not None and type(value) is try_loaded("pandas", "Series"):
            return Column()
        if is_instance(value, types.ModuleType) or is_instance(value, type):
            return Live(value)
        if is_exactly(value, types.FunctionType, types.BuiltinFunctionType):
            return Live(value)
        return live_instance(value)

    def _live_frame(self, name: str, value: Any, library: str) -> Frame:
        frame = self._live_frames.get(id(value))
        if frame is None:
            frame = _read_live_frame(name, value, library)
            self._live_frames[id(value)] = frame
        if name in self._stored.changed_in_functions:
            frame.forget()
        return frame

    def bind(self, name: str, value: Value) -> None:
        """Let a name hold a value from here on."""
        if isinstance(value, Frame):
            value.label = value.label or name
            if name in self._stored.changed_in_functions:
                value.forget()
        if not self._depth:
            self._names[name] = value

    def _allow_live_columns(self) -> None:
        """Let frames have their columns of before the code, too.

        The next piece of code may be another way of doing the same.
        """
        for name, value in self._names.items():
            live = self._namespace.get(name)
            if isinstance(value, Frame) and frame_library(live):
                columns = try_columns(live)
                if columns is None:
                    value.forget()
                value.add(*columns or ())
        for live_frame in self._live_frames.values():
            live_frame.add(*self._columns_before(live_frame))

    def _columns_before(self, frame: Frame) -> Iterable[object]:
        value = self._namespace.get(frame.label)
        if not frame_library(value):
            return ()
        return try_columns(value) or ()

    # Expressions

    def value(self, node: ast.AST | None) -> Value:
        """Return what is known of an expression's value; check what is in it."""
        if node is None or isinstance(node, ast.Constant):
            return None
        evaluate = _EXPRESSIONS.get(type(node))
        if evaluate is not None:
            return evaluate(self, node)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.escape(child)
            elif not isinstance(child, ast.expr_context | ast.operator):
                self.value(child)
        return None

    def escape(self, node: ast.AST) -> None:
        """Read an expression whose value something unknown may change."""
        if isinstance(node, ast.Starred):
            node = node.value
        value = self.value(node)
        if isinstance(value, Frame):
            value.forget()

    def frame_in(self, node: ast.AST | None) -> Frame | None:
        """Return the frame that an expression gives; None for anything else."""
        value = self.value(node)
        return value if isinstance(value, Frame) else None

    def value_of(self, node: ast.AST | None, given: Frame) -> Value:
        """Return what an expression gives; a lambda gets the frame."""
        if isinstance(node, ast.Lambda):
            return self._lambda(node, given)
        return self.value(node)

    def check(
        self, frame: Frame, names: Iterable[ast.Constant], node: ast.AST, *, index: bool
    ) -> None:
        """Report those of the names that the frame does not have."""
        known = frame.columns
        if index:
            known = frame.all_names
        if known is None:
            return
        for name in names:
            if name.value not in known:
                owner = owner_text(node, frame)
                text = str(name.value)
                self.report.column(owner, frame, text, name, index=index)

    def _formatted(self, node: ast.FormattedValue) -> Value:
        self.value(node.value)
        return None

    def _name(self, node: ast.Name) -> Value:
        return self.lookup(node.id)

    def _lambda(self, node: ast.Lambda, given: Value = None) -> Value:
        parameters = parameters_of(node.args)
        positional = node.args.args
        if positional and given is not None:
            parameters[positional[0].arg] = given
        self._bound.append(parameters)
        value = self.value(node.body)
        self._bound.pop()
        return value

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> Value:
        bound: dict[str, Value] = {}
        self._bound.append(bound)
        for generator in node.generators:
            self.escape(generator.iter)
            for part in ast.walk(generator.target):
                if isinstance(part, ast.Name):
                    bound[part.id] = None
            for condition in generator.ifs:
                self.value(condition)
        if isinstance(node, ast.DictComp):
            self.escape(node.key)
            self.escape(node.value)
        else:
            self.escape(node.elt)
        self._bound.pop()
        return None

    def _walrus(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self.bind(node.target.id, value)
        return value

    def _operation(self, node: ast.AST) -> Value:
        """Return what an operator gives: frames and columns stay what they are."""
        values = []
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                values.append(self.value(child))
        frames = [value for value in values if isinstance(value, Frame)]
        if len(frames) == 1 and not isinstance(node, ast.BoolOp):
            if len(values) > 1 and not _has_number(node):
                # Another frame may bring columns of its own.
                return frames[0].derived(None)
            return frames[0].copied()
        if not frames and any(isinstance(value, Column) for value in values):
            return Column()
        return None

    def _attribute(self, node: ast.Attribute) -> Value:
        base = self.value(node.value)
        if base is None:
            return None
        return self._attribute_of(base, node, is_called=False)

    def _attribute_of(
        self, base: Value, node: ast.Attribute, *, is_called: bool
    ) -> Value:
        frame = None
        if isinstance(base, Frame):
            frame = base
            is_plot = node.attr == "plot" and not is_called
            if is_plot or node.attr in ("loc", "at"):
                return _accessor(base, node.attr)
        return attribute_of(
            self.report,
            base,
            node.attr,
            node,
            owner=owner_text(node.value, frame),
            is_called=is_called,
        )

    def _item(self, node: ast.Subscript) -> Value:
        base = self.value(node.value)
        return self._subscript(base, node)

    def _subscript(self, base: Value, node: ast.Subscript) -> Value:
        if isinstance(base, Located):
            return self._located(base.frame, node)
        if isinstance(base, Row):
            names = _one_text(node.slice)
            self.check(base.frame, names, node.value, index=False)
            return None
        if isinstance(base, Grouped):
            return self._select_grouped(base, node)
        if isinstance(base, Frame):
            return self._select(base, node.slice, node.value)
        self.value(node.slice)
        if isinstance(base, Column) and not isinstance(node.slice, ast.Constant):
            return base
        return None

    def _located(self, frame: Frame, node: ast.Subscript) -> Value:
        owner = node.value
        if isinstance(owner, ast.Attribute):
            owner = owner.value
        key = node.slice
        if not isinstance(key, ast.Tuple):
            value = self.value(key)
            if isinstance(key, ast.Slice) or self._is_mask(key, value):
                return frame.copied()
            return None
        if len(key.elts) != 2:
            return None
        rows, columns = key.elts
        is_mask = self._is_mask(rows, self.value(rows))
        if not is_mask and not isinstance(rows, ast.Slice):
            # One row perhaps; with several levels, both may be parts of a row's label.
            if frame.index is not None and len(frame.index) < 2:
                self.check(frame, texts_in(columns), owner, index=False)
            return None
        if isinstance(columns, ast.Slice):
            return frame.copied()
        return self._select(frame, columns, owner)

    def _select(self, frame: Frame, key: ast.expr, owner: ast.AST) -> Value:
        """Check the columns that are selected from a frame; return what that gives."""
        if isinstance(key, ast.Tuple):
            self.value(key)
            return None
        if isinstance(key, ast.Constant):
            self.check(frame, _one_text(key), owner, index=False)
            if frame.library != "pandas":
                return None
            name = text_of(key)
            return frame.column(name)
        if isinstance(key, ast.List):
            self.check(frame, texts_in(key), owner, index=False)
            self.value(key)
            return frame.derived(try_all_texts(key))
        if isinstance(key, ast.Slice):
            return frame.copied()
        value = self.value(key)
        if not self._is_mask(key, value):
            return None
        return frame.copied()

    def _select_grouped(self, groups: Grouped, node: ast.Subscript) -> Value:
        key = node.slice
        texts = texts_in(key)
        self.check(groups.frame, texts, node.value, index=False)
        if try_all_texts(key) is None or isinstance(key, ast.Tuple):
            return None
        return Grouped(
            groups.frame,
            groups.keys,
            groups.as_index,
            selected=tuple(text.value for text in texts),
            single=isinstance(key, ast.Constant),
        )

    def _is_mask(self, key: ast.expr, value: Value) -> bool:
        """Return whether a key selects rows by a condition."""
        if isinstance(value, Column) or isinstance(key, _MASKS):
            return True
        if isinstance(key, ast.UnaryOp):
            return isinstance(key.op, ast.Invert)
        return isinstance(key, ast.BinOp) and isinstance(key.op, _MASK_OPERATORS)

    # Calls

    def _call(self, node: ast.Call) -> Value:
        arguments = Arguments(node)
        if isinstance(node.func, ast.Attribute):
            base = self.value(node.func.value)
            if base is not None and not isinstance(base, Live):
                return self._method(base, node, node.func, arguments)
            function: Value = None
            if base is not None:
                function = self._attribute_of(base, node.func, is_called=True)
        else:
            function = self.value(node.func)
        return self._function(function, node, arguments)

    def _function(self, function: Value, node: ast.Call, arguments: Arguments) -> Value:
        """Check a call of a function; return what it gives."""
        if not isinstance(function, Live):
            is_harmless = isinstance(node.func, ast.Name) and node.func.id in _HARMLESS
            self.read_arguments(node, trusted=is_harmless)
            return None
        called = function.value
        check_call(self.report, called, node)
        result = constructed(self, called, arguments, node)
        if result is not None:
            return result[0]
        check_library_plot(self, called, arguments)
        trusted = is_trusted(called)
        self.read_arguments(node, trusted=trusted)
        if not trusted and type(called) is types.FunctionType:
            self._forget_names_in(called.__code__)
        return None

    def _forget_names_in(self, code: types.CodeType) -> None:
        """Forget the frames that a function of the user's may change."""
        for name in code.co_names:
            if name not in self._namespace:
                continue
            value = self.lookup(name)
            if isinstance(value, Frame):
                value.forget()

    def read_arguments(self, node: ast.Call, *, trusted: bool) -> None:
        """Read the arguments of a call; an unknown function may change frames."""
        for argument in _passed(node):
            parts = [argument]
            if trusted and isinstance(argument, ast.List | ast.Tuple):
                parts = argument.elts
            for part in parts:
                if trusted:
                    self.value(part)
                else:
                    self.escape(part)

    def _method(
        self, base: Value, node: ast.Call, func: ast.Attribute, arguments: Arguments
    ) -> Value:
        method = self._attribute_of(base, func, is_called=True)
        if isinstance(method, Live):
            owner = f"{owner_text(func.value)}.{func.attr}"
            check_call(self.report, method.value, node, skip=1, owner=owner)
        if isinstance(base, Frame):
            return self._frame_method(base, node, func, arguments)
        if isinstance(base, Grouped):
            owner_node = self._owner_of_groups(func.value)
            self.read_arguments(node, trusted=True)
            return grouped_step(self, base, func.attr, arguments, owner_node)
        self.read_arguments(node, trusted=isinstance(base, Column | Plotted))
        if isinstance(base, Plotted):
            check_frame_plot(self, self.report, base.frame, func, arguments)
        if isinstance(base, Column):
            return column_step(base, func.attr, arguments)
        return None

    def _owner_of_groups(self, node: ast.expr) -> ast.expr:
        """Return the expression of the frame that was grouped."""
        while True:
            if isinstance(node, ast.Subscript):
                node = node.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                node = node.func.value
            else:
                return node

    def _frame_method(
        self, frame: Frame, node: ast.Call, func: ast.Attribute, arguments: Arguments
    ) -> Value:
        name = func.attr
        if frame.library == "polars":
            self.read_arguments(node, trusted=True)
            return polars_step(self, frame, name, arguments, func.value)
        if name == "pipe":
            frame.forget()
        self._read_frame_arguments(frame, node, name)
        result = frame_step(self, frame, name, arguments, func.value)
        if changes_in_place(arguments):
            if isinstance(result, Frame):
                frame.become(result)
            else:
                frame.forget()
            return None
        return result

    def _read_frame_arguments(self, frame: Frame, node: ast.Call, method: str) -> None:
        if method == "assign":
            # Each is read in its order, when the columns before it are there.
            return
        is_by_row = method in _ROW_FUNCTIONS and _is_by_row(Arguments(node))
        for argument in _passed(node):
            if is_by_row and isinstance(argument, ast.Lambda):
                self._lambda(argument, row_of(frame))
            elif method not in ("merge", "join"):
                self.value(argument)


def _read_live_frame(name: str, value: Any, library: str) -> Frame:
    """Return what the kernel's own frame is known to have."""
    frame = Frame(name, library=library)
    columns = try_columns(value)
    if columns is not None:
        frame.columns = set(columns)
    if library != "pandas":
        return frame
    index = index_names(value)
    frame.index = None
    if index is not None:
        frame.index = set(index)
    if columns is not None:
        frame.axis = value.columns.name
        frame.kinds = kinds_of(value, columns)
    return frame


def _accessor(frame: Frame, name: str) -> Value:
    """Return ``df.loc``, ``df.at`` or ``df.plot``; None where it is not pandas'."""
    if frame.library != "pandas":
        return None
    if name == "plot":
        return Plotted(frame)
    return Located(frame)


def _passed(call: ast.Call) -> Iterator[ast.expr]:
    """Yield all arguments of a call, with and without a keyword."""
    yield from call.args
    for word in call.keywords:
        yield word.value


def _is_by_row(arguments: Arguments) -> bool:
    axis = arguments.get("axis", 1)
    return isinstance(axis, ast.Constant) and axis.value in (1, "columns")


def _one_text(node: ast.AST) -> list[ast.Constant]:
    if not isinstance(node, ast.Constant):
        return []
    return texts_in(node)


def row_of(frame: Frame) -> Row:
    """Return a row of a frame, to which code may add values."""
    row = Row(frame.copied())
    row.frame.label = frame.label
    return row


def parameters_of(arguments: ast.arguments) -> dict[str, Value]:
    """Return the names of a function's parameters, of which nothing is known."""
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    for more in (arguments.vararg, arguments.kwarg):
        if more is not None:
            named.append(more)
    return {argument.arg: None for argument in named}


def loaded_module(name: str) -> Live | None:
    """Return a module that is imported already, of an installed package."""
    module = sys.modules.get(name)
    if not is_installed_module(module):
        return None
    return Live(module)


def is_trusted(function: Any) -> bool:
    """Return whether a function is an installed one, which changes no frame."""
    if is_instance(function, type):
        return True
    if type(function) is types.BuiltinFunctionType:
        return function.__name__ not in ("setattr", "exec", "eval", "delattr")
    module = instance_dict(function).get("__module__")
    if type(function) is types.FunctionType:
        module = function.__module__
    # The kernel's own program can be in the folder of an installed package.
    return module != "__main__" and is_installed(module)


_EXPRESSIONS: Mapping[type, Callable[[Expressions, Any], Value]] = {
    ast.Name: Expressions._name,
    ast.FormattedValue: Expressions._formatted,
    ast.Lambda: Expressions._lambda,
    ast.ListComp: Expressions._comprehension,
    ast.SetComp: Expressions._comprehension,
    ast.GeneratorExp: Expressions._comprehension,
    ast.DictComp: Expressions._comprehension,
    ast.NamedExpr: Expressions._walrus,
    ast.Compare: Expressions._operation,
    ast.BoolOp: Expressions._operation,
    ast.BinOp: Expressions._operation,
    ast.UnaryOp: Expressions._operation,
    ast.Attribute: Expressions._attribute,
    ast.Subscript: Expressions._item,
    ast.Call: Expressions._call,
}


def _has_number(node: ast.AST) -> bool:
    """Return whether an operand is a plain number or text."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.UnaryOp):
            child = child.operand
        if isinstance(child, ast.Constant):
            return True
    return False
