"""Mistakes in hooks are found when a pack is loaded, each with a way to put it right."""

from __future__ import annotations

import textwrap
from types import ModuleType

import pluggy
import pytest

from handrail.errors import ExitCode, PackError
from handrail.hookspecs import PackInfo, hookimpl
from handrail.packs.loader import load_inline, new_manager, specs


def module(source, name="acme_hooks"):
    made = ModuleType(name)
    code = "from handrail import hookimpl, PackInfo\n" + textwrap.dedent(source)
    exec(compile(code, f"/somewhere/{name}.py", "exec"), made.__dict__)
    return made


MISTAKES = {
    "unknown hook": (
        "@hookimpl\ndef insert_befor(action, step): ...",
        "there is no hook insert_befor",
        "did you mean insert_before or insert_after?",
    ),
    "unknown hook, nothing near": (
        "@hookimpl\ndef xyzzy(): ...",
        "there is no hook xyzzy",
        "the hooks are: pack_info, setup_steps, insert_before",
    ),
    "unknown argument": (
        "@hookimpl\ndef setup_steps(action, registri): ...",
        "setup_steps takes 'registri', which is not an argument of that hook",
        "did you mean registry? setup_steps may take: action, registry, settings",
    ),
    "argument of a hook without any": (
        "@hookimpl\ndef pack_info(action): ...",
        "pack_info takes 'action', which is not an argument of that hook",
        "pack_info takes none",
    ),
    "default": (
        "@hookimpl\ndef setup_steps(action, registry=None): ...",
        "setup_steps has a default for 'registry', and would always get it",
        "write it without the default: registry",
    ),
    "star arguments": (
        "@hookimpl\ndef setup_steps(**kwargs): ...",
        "setup_steps takes 'kwargs', which is not an argument of that hook",
        "setup_steps may take: action, registry, settings",
    ),
    "by name only": (
        "@hookimpl\ndef setup_steps(*, action): ...",
        "setup_steps takes 'action' by name only",
        "setup_steps may take: action, registry, settings",
    ),
    "async": (
        "@hookimpl\nasync def setup_steps(action): ...",
        "setup_steps is async; hooks are called while a plan is made",
        "make it a plain function, and await in the step",
    ),
    "generator": (
        "@hookimpl\ndef insert_before(action, step):\n    yield 1",
        "insert_before is a generator",
        "return a list instead of yielding",
    ),
    "async generator": (
        "@hookimpl\nasync def insert_before(action, step):\n    yield 1",
        "insert_before is async",
        "make it a plain function",
    ),
    "wrapper": (
        "@hookimpl(wrapper=True)\ndef setup_steps(action):\n    return (yield)",
        "setup_steps has wrapper=True, which no hook may have",
        "each pack gives its own answer",
    ),
    "old wrapper": (
        "@hookimpl(hookwrapper=True)\ndef setup_steps(action):\n    yield",
        "setup_steps has hookwrapper=True, which no hook may have",
        "each pack gives its own answer",
    ),
    "tryfirst": (
        "@hookimpl(tryfirst=True)\ndef setup_steps(action): ...",
        "setup_steps has tryfirst=True, which no hook may have",
        "PackInfo(after=[...]) in pack_info",
    ),
    "trylast": (
        "@hookimpl(trylast=True)\ndef setup_steps(action): ...",
        "setup_steps has trylast=True, which no hook may have",
        "PackInfo(after=[...]) in pack_info",
    ),
    "not marked": (
        "def setup_steps(action, registry): ...",
        "setup_steps is named like a hook, but is not marked as one",
        "put @hookimpl above it, or give it another name",
    ),
    "twice": (
        "@hookimpl\ndef setup_steps(action): ...\n"
        "@hookimpl(specname='setup_steps')\ndef more(action): ...",
        "the hook setup_steps is there twice",
        "keep one of them",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistake(case):
    """Each mistake is a problem that names the hook, its line, and what to write instead."""
    source, message, hint = MISTAKES[case]
    with pytest.raises(PackError) as error:
        load_inline(module(source), "acme-hooks")
    (problem,) = error.value.problems
    assert problem.message.startswith(f"acme-hooks: {message}")
    assert hint in problem.ways_out[0]
    assert problem.code == "bad-hook"
    assert problem.origins[0].place.startswith("acme_hooks.py:")
    assert problem.origins[0].line >= 2
    assert error.value.exit_code is ExitCode.PACK


def test_all_mistakes_at_once():
    """All mistakes of a pack are told together, in the order of the source."""
    source = "@hookimpl\ndef zzz(): ...\n@hookimpl\nasync def setup_steps(actoin): ..."
    with pytest.raises(PackError, match="has 3 wrong hooks") as error:
        load_inline(module(source), "acme-hooks")
    assert [problem.origins[0].line for problem in error.value.problems] == [2, 4, 4]


def test_what_is_allowed():
    """Fewer arguments, another function name, an optional unknown hook and helpers are fine."""
    pack = load_inline(
        module(
            """
            from os.path import join as insert_after

            @hookimpl
            def setup_steps(registry): return registry

            @hookimpl(specname="insert_before")
            def anything(step, settings): return step, settings

            @hookimpl(optionalhook=True)
            def of_a_newer_core(whatever): ...

            def helper(x=1): ...
            """
        )
    )
    assert pack.implements("setup_steps")
    assert pack.implements("insert_before")
    assert not pack.implements("insert_after")
    assert not pack.implements("of_a_newer_core")
    assert pack.call("setup_steps", action=1, registry=2) == 2
    assert pack.call("insert_before", action=1, step=3) == (3, {})


def test_objects_can_hold_hooks():
    """An object with marked methods is as good as a module."""

    class Hooks:
        @hookimpl
        def insert_after(self, action, step):
            return [action, step]

    pack = load_inline(Hooks())
    assert pack.id == "hooks"
    assert pack.call("insert_after", action=1, step=2) == [1, 2]


def test_classes_are_told_from_objects():
    """A class in place of an object is told by its `self`."""

    class Hooks:
        @hookimpl
        def insert_after(self, step): ...

    with pytest.raises(PackError) as error:
        load_inline(Hooks)
    assert "takes 'self', which is not" in error.value.problems[0].message


def test_lazy_modules_are_not_woken():
    """Looking for hooks does not make a lazy module import what it offers."""
    made = module("def __getattr__(name):\n    raise RuntimeError(name)")
    assert not load_inline(made).hooks


def test_pluggy_holds_what_was_checked():
    """Every hook that we accept, pluggy accepts as well, and it holds the implementation."""
    from handrail.packs.configuration import Table
    from handrail.packs.loader import _checked

    manager = new_manager()
    assert isinstance(manager, pluggy.PluginManager)
    made = module("@hookimpl\ndef setup_steps(action): ...")
    origin = load_inline(made).origin
    table = Table(values={}, source=str)
    _checked([made], "acme-hooks", origin, table, manager)
    assert manager.get_plugin("acme-hooks") is made
    assert len(manager.hook.setup_steps.get_hookimpls()) == 1


def test_specs_are_those_of_the_page():
    """The hooks that are known are those that hookspecs.py declares, with their arguments."""
    assert specs()["setup_steps"] == ("action", "registry", "settings")
    assert set(specs()) == {
        "pack_info",
        "setup_steps",
        "plan_rules",
        "check_run",
        "insert_before",
        "insert_after",
        "wrap_step",
        "check_plan",
        "perform",
        "observe",
    }


def test_hook_that_raises():
    """An exception in a hook becomes a PackError with the cause and the line of the hook."""
    pack = load_inline(module("@hookimpl\ndef check_plan(plan):\n    return 1 / 0"), "acme-scan")
    with pytest.raises(PackError, match="check_plan of acme-scan raised ZeroDivision") as error:
        pack.call("check_plan", action=1, plan=2)
    assert isinstance(error.value.__cause__, ZeroDivisionError)
    assert error.value.origin.place == "acme_hooks.py:2"
    assert error.value.origin == pack.locate("check_plan")


def test_hook_that_leaves():
    """A hook that calls exit does not end the process; Ctrl-C does."""
    pack = load_inline(module("@hookimpl\ndef check_plan(plan):\n    raise SystemExit"))
    with pytest.raises(PackError):
        pack.call("check_plan", action=1, plan=2)
    pack = load_inline(module("@hookimpl\ndef check_plan(plan):\n    raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        pack.call("check_plan", action=1, plan=2)


INFOS = {
    "no PackInfo": ("{}", "returned {}; it has to return a PackInfo"),
    "a string": ("PackInfo(after='acme')", "after is 'acme'; it has to be a list of packs"),
    "numbers": ("PackInfo(requires=[1])", "requires is [1]; it has to be a list of packs"),
    "no list": ("PackInfo(before=1)", "before is 1; it has to be a list of packs"),
    "no model": ("PackInfo(settings=dict)", "settings is <class 'dict'>; it has to be a model"),
    "an instance": ("PackInfo(settings={})", "settings is {}; it has to be a model"),
    "an error": ("1 / 0", "the hook pack_info of acme-x raised ZeroDivisionError"),
}


@pytest.mark.parametrize("case", INFOS)
def test_senseless_info(case):
    """A pack_info that returns something else than a fitting PackInfo is refused with its line."""
    value, message = INFOS[case]
    with pytest.raises(PackError) as error:
        load_inline(module(f"@hookimpl\ndef pack_info(): return {value}"), "acme-x")
    assert message in error.value.message
    assert error.value.origin.place == "acme_hooks.py:2"


def test_info_is_normalised():
    """Names of packs in pack_info may be spelt in any way; without one, there is a default."""
    source = "@hookimpl\ndef pack_info(): return PackInfo(after=['Acme_Scan'], requires=('B.c',))"
    info = load_inline(module(source)).info
    assert (info.after, info.requires) == (("acme-scan",), ("b-c",))
    assert load_inline(module("")).info == PackInfo()
