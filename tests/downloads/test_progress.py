import logging

from hubcls.progress import progress


def test_start_and_end_are_logged_where_there_is_no_terminal(caplog, monkeypatch):
    monkeypatch.delenv("HUBCLS_PROGRESS", raising=False)
    caplog.set_level(logging.INFO, logger="hubcls")

    with progress(3, "counting", unit="sheep") as advance:
        advance(1)
        advance(2)

    assert caplog.messages[0] == "counting (3 sheep)"
    assert caplog.messages[1].startswith("counting: 3 sheep in ")


def test_a_bar_is_drawn_where_it_is_wished_for(capfd, monkeypatch):
    monkeypatch.setenv("HUBCLS_PROGRESS", "1")

    with progress(2_000_000, "fetching", unit="bytes") as advance:
        advance(2_000_000)

    assert "2.0/2.0 MB" in capfd.readouterr().err


def test_an_unknown_total_is_no_trouble(capfd, monkeypatch):
    monkeypatch.setenv("HUBCLS_PROGRESS", "1")

    with progress(None, "reading", unit="lines") as advance:
        advance(5)

    assert "5/?" in capfd.readouterr().err


def test_an_error_inside_comes_out_and_ends_the_bar(monkeypatch):
    monkeypatch.setenv("HUBCLS_PROGRESS", "1")

    try:
        with progress(2, "failing", unit="steps"):
            raise KeyError("inside")
    except KeyError:
        with progress(2, "again", unit="steps") as advance:
            advance(2)
