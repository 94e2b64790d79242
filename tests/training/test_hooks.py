import pytest

from hubcls.errors import ConfigError, UnknownNameError
from hubcls.training.hooks import EVENTS, TaskHooks


def test_there_are_paddlehubs_twelve_events():
    assert len(EVENTS) == 12


@pytest.mark.parametrize(("event", "arity"), EVENTS.items())
def test_every_event_calls_its_handlers_in_order(event, arity):
    calls = []
    handlers = {
        1: (lambda task: calls.append("first"), lambda task: calls.append("second")),
        2: (
            lambda task, states: calls.append("first"),
            lambda task, states: calls.append("second"),
        ),
    }[arity]
    hooks = TaskHooks()
    hooks.add(event, "one", handlers[0])
    hooks.add(event, "two", handlers[1])

    hooks.fire(event, *["argument"] * arity)

    assert calls == ["first", "second"]


def test_a_deleted_handler_is_not_called():
    calls = []
    hooks = TaskHooks()
    hooks.add("finetune_start_event", "mine", calls.append)

    hooks.delete("finetune_start_event", "mine")
    hooks.fire("finetune_start_event", "task")

    assert calls == []


def test_a_modified_handler_takes_the_old_ones_place():
    calls = []
    hooks = TaskHooks()
    hooks.add("finetune_start_event", "mine", lambda task: calls.append("old"))
    hooks.add("finetune_start_event", "last", lambda task: calls.append("last"))

    hooks.modify("finetune_start_event", "mine", lambda task: calls.append("new"))
    hooks.fire("finetune_start_event", "task")

    assert calls == ["new", "last"]


def test_an_unnamed_handler_gets_a_name():
    hooks = TaskHooks()

    name = hooks.add("finetune_start_event", None, lambda task: None)

    assert name.startswith("hook_")
    assert hooks.names("finetune_start_event") == (name,)


def test_a_wrong_number_of_arguments_is_refused():
    with pytest.raises(ConfigError, match="2 argument"):
        TaskHooks().add("log_interval_event", "mine", lambda task: None)


def test_a_taken_name_is_refused():
    hooks = TaskHooks()
    hooks.add("finetune_start_event", "mine", lambda task: None)

    with pytest.raises(ConfigError, match="modify_hook"):
        hooks.add("finetune_start_event", "mine", lambda task: None)


def test_an_unknown_event_names_the_nearest():
    with pytest.raises(UnknownNameError, match="log_interval_event"):
        TaskHooks().add("log_intervall_event", "mine", lambda task: None)


def test_an_unknown_handler_names_the_nearest():
    hooks = TaskHooks()
    hooks.add("finetune_start_event", "default", lambda task: None)

    with pytest.raises(UnknownNameError, match="default"):
        hooks.delete("finetune_start_event", "defaul")


def test_info_shows_sources_of_own_hooks_and_hides_the_default_ones():
    def my_own_hook(task):
        return task

    hooks = TaskHooks()
    hooks.add("finetune_start_event", "default", lambda task: "hidden")
    hooks.add("finetune_start_event", "mine", my_own_hook)

    assert "my_own_hook" in hooks.info()
    assert "hidden" not in hooks.info()
    assert "hidden" in hooks.info(show_default=True)
