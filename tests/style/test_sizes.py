"""Files, functions and parameter lists stay small enough to read at once."""

import ast
import io
import tokenize

MOST_LINES_IN_A_FILE = 500
MOST_LINES_IN_A_FUNCTION = 60
MOST_PARAMETERS = 8
# All architectures together: more would mean that their graphs are not general enough.
MOST_LINES_OF_BACKBONES = 4_000
MOST_LINES_IN_A_BACKBONE = 300
SPACE = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}

# PaddleHub's signatures, kept so that its scripts run.
PADDLEHUB_FACES = {
    "ImageClassificationReader.__init__",
    "ImageClassifierTask.__init__",
    "Module.__init__",
    "RunConfig.__init__",
    "ULMFiTStrategy.__init__",
}


def test_files_stay_short(sources):
    long = [
        f"{source.place}: {lines} lines"
        for source in sources
        if (lines := len(source.text.splitlines())) > MOST_LINES_IN_A_FILE
    ]

    assert not long, "\n".join(long)


def test_functions_stay_short(sources):
    long = [
        f"{source.place}:{function.lineno}: {name} has {lines} lines"
        for source in sources
        for name, function in functions_of(source.tree)
        if (lines := lines_without_docstring(function)) > MOST_LINES_IN_A_FUNCTION
    ]

    assert not long, "\n".join(long)


def test_architectures_stay_few_graphs(sources):
    backbones = [source for source in sources if source.place.startswith("hubcls/backbones/")]
    long = [s.place for s in backbones if len(s.text.splitlines()) > MOST_LINES_IN_A_BACKBONE]

    assert backbones
    assert not long
    assert sum(map(lines_of_code, backbones)) < MOST_LINES_OF_BACKBONES


def test_parameter_lists_stay_short(sources):
    long = [
        f"{source.place}:{function.lineno}: {name} takes {count}"
        for source in sources
        for name, function in functions_of(source.tree)
        if (count := len(parameters_of(function))) > MOST_PARAMETERS and name not in PADDLEHUB_FACES
    ]

    assert not long, "\n".join(long)


def functions_of(node, prefix=""):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child
        inner = prefix + f"{child.name}." if isinstance(child, ast.ClassDef) else prefix
        yield from functions_of(child, inner)


def lines_of_code(source):
    """How many lines hold more than docstrings, comments and space."""
    tokens = tokenize.generate_tokens(io.StringIO(source.text).readline)
    code = [token for token in tokens if token.type not in SPACE]
    lines = {line for token in code for line in range(token.start[0], token.end[0] + 1)}
    texts = [node for node in ast.walk(source.tree) if is_text(node)]
    return len(lines - {line for node in texts for line in range(node.lineno, node.end_lineno + 1)})


def is_text(node):
    """Whether a statement is nothing but a string: a docstring."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def lines_without_docstring(function):
    first, last = function.lineno, function.end_lineno
    if ast.get_docstring(function) is None:
        return last - first + 1
    docstring = function.body[0]
    return last - first + 1 - (docstring.end_lineno - docstring.lineno + 1)


def parameters_of(function):
    arguments = function.args
    names = [item.arg for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return [name for name in names if name not in {"self", "cls"}]
