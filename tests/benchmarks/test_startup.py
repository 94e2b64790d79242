"""The table of how long the command line takes to start."""


def test_each_process_is_compared_with_tensorflows_import_and_its_promise():
    from startup import table

    lines = table({"hubcls --help": 0.1, "import tensorflow": 2.0, "hubcls predict one.jpg": 3.0})

    assert lines.splitlines()[2:] == [
        "| `hubcls --help` | 0.10 | 0.05 | < 0.3 s |",
        "| `import tensorflow` | 2.00 | 1.00 |  |",
        "| `hubcls predict one.jpg` | 3.00 | 1.50 |  |",
    ]
