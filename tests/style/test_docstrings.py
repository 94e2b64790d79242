"""Public names are documented, and the documentation names what is there."""

import ast
import doctest
import importlib
import re

SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Example|Examples|Note):\s*$")
ENTRY = re.compile(r"^ {4}(\*{0,2}\w+)(?: \([^)]*\))?:")


def test_public_names_have_docstrings(sources):
    bare = [
        f"{source.place}:{getattr(node, 'lineno', 1)}: {name}"
        for source in sources
        for name, node in public_definitions(source)
        if not (ast.get_docstring(node) or "").strip()
    ]

    assert not bare, "\n".join(bare)


def test_documented_parameters_exist(sources):
    wrong = [
        f"{source.place}:{node.lineno}: {name} has no parameter {entry!r}"
        for source in sources
        for name, node in definitions(source.tree)
        if isinstance(node, ast.FunctionDef)
        for entry in entries_of(node, "Args")
        if entry.lstrip("*") not in parameters_of(node)
    ]

    assert not wrong, "\n".join(wrong)


def test_an_args_section_names_every_parameter(sources):
    wrong = [
        f"{source.place}:{node.lineno}: {name} leaves out {sorted(missing)}"
        for source in sources
        for name, node in definitions(source.tree)
        if isinstance(node, ast.FunctionDef) and entries_of(node, "Args")
        if (
            missing := parameters_of(node)
            - {entry.lstrip("*") for entry in entries_of(node, "Args")}
        )
    ]

    assert not wrong, "\n".join(wrong)


def test_documented_attributes_exist(sources):
    wrong = [
        f"{source.place}:{node.lineno}: {name} has no attribute {entry!r}"
        for source in sources
        for name, node in definitions(source.tree)
        if isinstance(node, ast.ClassDef)
        for entry in entries_of(node, "Attributes")
        if entry not in attributes_of(node)
    ]

    assert not wrong, "\n".join(wrong)


def test_examples_in_docstrings_give_what_they_show(sources):
    failed = 0
    for source in sources:
        if ">>>" in source.text:
            failed += doctest.testmod(importlib.import_module(source.module)).failed

    assert failed == 0


def definitions(node, prefix=""):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield prefix + child.name, child
            if isinstance(child, ast.ClassDef):
                yield from definitions(child, f"{prefix}{child.name}.")


def public_definitions(source):
    yield source.module, source.tree
    for name, node in definitions(source.tree):
        if not any(part.startswith("_") for part in name.split(".")) and not is_overload(node):
            yield name, node


def is_overload(node):
    return any(
        ast.unparse(decorator).endswith(("overload", ".setter"))
        for decorator in node.decorator_list
    )


def entries_of(node, wanted):
    """The names in one Google section of a docstring."""
    section, entries = "", []
    for line in (ast.get_docstring(node) or "").splitlines():
        if match := SECTION.match(line):
            section = match[1]
        elif section == wanted and (match := ENTRY.match(line)):
            entries.append(match[1])
    return entries


def parameters_of(function):
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named += [extra for extra in (arguments.vararg, arguments.kwarg) if extra]
    return {item.arg for item in named} - {"self", "cls"}


def attributes_of(node):
    """Fields, properties and whatever a method hangs on self."""
    names = set()
    for child in ast.walk(node):
        if isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name):
            names.add(child.target.id)
        elif isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store):
            names.add(child.attr)
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            names.add(child.id)
        elif isinstance(child, ast.FunctionDef):
            names.add(child.name)
    return names
