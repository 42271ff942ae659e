"""Reads code statement by statement, and checks what it does against the live kernel.

Nothing is run. What is not known for sure is taken to be right.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .abstract import (
    Frame,
    Grouped,
    Located,
    Row,
    Value,
    text_of,
    try_all_texts,
)
from .attributes import attribute_of
from .expressions import Expressions, loaded_module, parameters_of, row_of
from .stored import Stored, stored_in


class Reader(Expressions):
    """Reads the statements of one piece of code, or of several after each other."""

    # Statements

    def read(self, statements: Iterable[ast.stmt]) -> None:
        """Read statements one after the other."""
        for statement in statements:
            read = _STATEMENTS.get(type(statement))
            if read is not None:
                read(self, statement)
            else:
                self._read_parts(statement)

    def _read_parts(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                self.read([child])
            elif isinstance(child, ast.expr):
                self.escape(child)
            else:
                self._read_parts(child)

    def _read_expression(self, node: ast.Expr) -> None:
        self.value(node.value)

    def _read_assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self._assign(target, value, node.value)

    def _read_annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            value = self.value(node.value)
            self._assign(node.target, value, node.value)

    def _read_augmented(self, node: ast.AugAssign) -> None:
        self.value(node.value)
        if isinstance(node.target, ast.Name):
            self.bind(node.target.id, None)
        elif isinstance(node.target, ast.Subscript):
            base = self.value(node.target.value)
            self._subscript(base, node.target)
            self._store_item(base, node.target)

    def _assign(
        self, target: ast.expr, value: Value, source: ast.expr | None = None
    ) -> None:
        if isinstance(target, ast.Name):
            self.bind(target.id, value)
        elif isinstance(target, ast.Subscript):
            base = self.value(target.value)
            self._store_item(base, target)
        elif isinstance(target, ast.Attribute):
            self._store_attribute(target, source)
        elif isinstance(target, ast.Starred):
            self._assign(target.value, None)
        elif isinstance(target, ast.Tuple | ast.List):
            for element in target.elts:
                self._assign(element, None)

    def _store_item(self, base: Value, target: ast.Subscript) -> None:
        if isinstance(base, Row):
            base = base.frame
        is_located = isinstance(base, Located)
        if isinstance(base, Located):
            base = base.frame
        if not isinstance(base, Frame):
            self.value(target.slice)
            self._forget_kinds(target.value)
            return
        key: ast.expr = target.slice
        if is_located:
            if not isinstance(key, ast.Tuple):
                # A row, with which the types of columns may change.
                self.value(key)
                base.kinds.clear()
                return
            self.value(key.elts[0])
            key = key.elts[-1]
        self._store_columns(base, key)

    def _forget_kinds(self, node: ast.expr) -> None:
        """Forget the types of a frame's columns when ``df.iloc[…]`` is stored."""
        if not isinstance(node, ast.Attribute):
            return
        frame = self.frame_in(node.value)
        if frame is not None:
            frame.kinds.clear()

    def _store_columns(self, frame: Frame, key: ast.expr) -> None:
        names = try_all_texts(key)
        if names is not None:
            frame.add(*names)
            return
        value = self.value(key)
        if isinstance(key, ast.Slice):
            return
        if self._is_mask(key, value):
            # The types may change with the values.
            frame.kinds.clear()
        else:
            frame.forget()

    def _store_attribute(self, target: ast.Attribute, source: ast.expr | None) -> None:
        base = self.value(target.value)
        inner = target.value
        if isinstance(inner, ast.Attribute) and inner.attr in ("index", "columns"):
            owner = self.value(inner.value)
            if isinstance(owner, Frame):
                owner.index = None
                owner.axis = text_of(source)
        if not isinstance(base, Frame):
            return
        if target.attr == "columns":
            if base.columns is not None:
                base.columns = try_all_texts(source)
            base.kinds.clear()
        elif target.attr == "index":
            base.index = None
        else:
            base.add(target.attr)

    def _read_delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                self._delete_item(target)
            elif isinstance(target, ast.Name):
                self.bind(target.id, None)

    def _delete_item(self, target: ast.Subscript) -> None:
        base = self.value(target.value)
        self._subscript(base, target)
        if isinstance(base, Frame) and base.columns is not None:
            name = text_of(target.slice)
            base.columns.discard(name)

    def _read_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            self.value(decorator)
        arguments = node.args
        for default in arguments.defaults:
            self.escape(default)
        for keyword_default in arguments.kw_defaults:
            if keyword_default is not None:
                self.escape(keyword_default)
        self._read_later(node.body, parameters_of(arguments))
        self.bind(node.name, None)

    def _read_class(self, node: ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            self.value(decorator)
        for base in node.bases:
            self.value(base)
        self._read_later(node.body, {})
        self.bind(node.name, None)

    def _read_later(
        self, body: Iterable[ast.stmt], parameters: Mapping[str, Value]
    ) -> None:
        self._depth += 1
        self._bound.append(parameters)
        self.read(body)
        self._bound.pop()
        self._depth -= 1

    def _read_if(self, node: ast.If) -> None:
        self.value(node.test)
        self._branches([node.body, node.orelse])

    def _read_for(self, node: ast.For | ast.AsyncFor) -> None:
        row = self._row_of(node.iter)
        if row is None:
            self.escape(node.iter)
        changed = stored_in(node.body)
        if row is None and changed.changed & _names_in(node.target):
            # It may be among what the loop goes over, as in enumerate([df, other]).
            for name in _name_nodes(node.iter):
                self.escape(name)
        self._forget(changed)
        self._assign(node.target, None)
        if row is not None:
            self._assign_row(node.target, row)
        self.read(node.body)
        self._forget(changed)
        self._assign(node.target, None)
        self._branches([node.orelse])

    def _row_of(self, node: ast.expr) -> Row | None:
        """Return the rows of a frame if a loop goes over its ``iterrows()``."""
        if not isinstance(node, ast.Call):
            return None
        method = node.func
        if not isinstance(method, ast.Attribute) or method.attr != "iterrows":
            return None
        frame = self.frame_in(method.value)
        if frame is None:
            return None
        return row_of(frame)

    def _assign_row(self, target: ast.expr, row: Row) -> None:
        """Give a row to the second target, as in ``for label, row in …``."""
        if isinstance(target, ast.Tuple) and len(target.elts) == 2:
            self._assign(target.elts[1], row)

    def _read_while(self, node: ast.While) -> None:
        changed = stored_in(node.body)
        self._forget(changed)
        self.value(node.test)
        self.read(node.body)
        self._forget(changed)
        self._branches([node.orelse])

    def _read_try(self, node: ast.Try) -> None:
        is_caught = bool(node.handlers)
        self.report.silent += is_caught
        self._branches([node.body])
        self.report.silent -= is_caught
        self._branches([handler.body for handler in node.handlers])
        self._branches([node.orelse])
        self.read(node.finalbody)

    def _read_with(self, node: ast.With | ast.AsyncWith) -> None:
        is_suppressed = False
        for item in node.items:
            self.escape(item.context_expr)
            text = ast.unparse(item.context_expr)
            if "suppress" in text or "raises" in text:
                is_suppressed = True
            if item.optional_vars is not None:
                self._assign(item.optional_vars, None)
        self.report.silent += is_suppressed
        self.read(node.body)
        self.report.silent -= is_suppressed

    def _read_match(self, node: ast.Match) -> None:
        self.escape(node.subject)
        self._branches([case.body for case in node.cases])

    def _branches(self, bodies: Iterable[list[ast.stmt]]) -> None:
        """Read what may run or not: what it changes is not known afterwards."""
        for body in bodies:
            if not body:
                continue
            before = dict(self._names)
            self.read(body)
            self._names = before
            self._forget(stored_in(body))

    def _forget(self, stored: Stored) -> None:
        for name in stored.changed:
            value = self.lookup(name)
            if isinstance(value, Located | Row | Grouped):
                value = value.frame
            if isinstance(value, Frame):
                value.forget()
        for name in stored.names:
            self.bind(name, None)

    def _read_import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname:
                self.bind(alias.asname, loaded_module(alias.name))
            else:
                package = alias.name.partition(".")[0]
                self.bind(package, loaded_module(package))

    def _read_import_from(self, node: ast.ImportFrom) -> None:
        module = None
        if not node.level:
            module = loaded_module(node.module or "")
        for alias in node.names:
            value: Value = None
            if module is not None and alias.name != "*":
                value = attribute_of(self.report, module, alias.name, node)
            name = alias.asname or alias.name
            self.bind(name, value)


_STATEMENTS: Mapping[type, Callable[[Reader, Any], None]] = {
    ast.Expr: Reader._read_expression,
    ast.Assign: Reader._read_assign,
    ast.AnnAssign: Reader._read_annotated,
    ast.AugAssign: Reader._read_augmented,
    ast.Delete: Reader._read_delete,
    ast.FunctionDef: Reader._read_function,
    ast.AsyncFunctionDef: Reader._read_function,
    ast.ClassDef: Reader._read_class,
    ast.If: Reader._read_if,
    ast.For: Reader._read_for,
    ast.AsyncFor: Reader._read_for,
    ast.While: Reader._read_while,
    ast.Try: Reader._read_try,
    ast.TryStar: Reader._read_try,
    ast.With: Reader._read_with,
    ast.AsyncWith: Reader._read_with,
    ast.Match: Reader._read_match,
    ast.Import: Reader._read_import,
    ast.ImportFrom: Reader._read_import_from,
}


def _name_nodes(node: ast.AST) -> list[ast.Name]:
    return [part for part in ast.walk(node) if isinstance(part, ast.Name)]


def _names_in(node: ast.AST) -> set[str]:
    return {part.id for part in _name_nodes(node)}
