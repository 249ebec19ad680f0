"""The packs that planning uses: loaded once, all or none, each with its origin."""

from __future__ import annotations

import sys

import pytest

from handrail import action, step
from handrail.builtin.cli.commands.config import rows_of
from handrail.builtin.project.lock import outline_of
from handrail.builtin.project.lock_file import LockName
from handrail.builtin.project.settings import settings_of
from handrail.errors import ExitCode, PackError, SettingsError
from handrail.events import ProgressChanged
from handrail.packs import PackRecord, installed_packs


def test_contributors_are_loaded_once(garden, packs):
    """Packs with hooks that are on are loaded, sorted by id, once; others are not."""
    for name in ("acme-z", "acme-a", "acme-off"):
        garden.plant_hooks(name)
    garden.plant("acme-steps")
    found = packs(no_packs=("acme-off",))
    first = found.contributors()
    assert [pack.id for pack in first] == ["acme-a", "acme-z"]
    assert found.contributors() is first
    assert "acme_off" not in sys.modules
    assert "acme_steps" not in sys.modules
    assert str(first[0].origin) == "acme-a 1.4.0"
    assert first[0].locate("setup_steps").place == "acme_a/hooks.py:4"


def test_hooks_in_two_modules(garden, packs):
    """A pack may have several modules of hooks, but each hook once."""
    plant = garden.plant(
        points={"packs": {"one": "acme_scan.one", "two": "acme_scan.two:hooks"}},
        modules={
            "acme_scan/__init__.py": "",
            "acme_scan/one.py": garden.HOOKS,
            "acme_scan/two.py": """
                from handrail import hookimpl

                class Hooks:
                    @hookimpl
                    def insert_before(self, step):
                        return None

                hooks = Hooks()
            """,
        },
    )
    (pack,) = packs().contributors()
    assert set(pack.hooks) == {"setup_steps", "insert_before"}
    plant.entry_points.write_text("[handrail.packs]\na = acme_scan.one\nb = acme_scan.one\n")
    with pytest.raises(PackError) as error:
        packs().contributors()
    assert "the hook setup_steps is there twice" in str(error.value.__notes__)


TOLD = """
    from handrail import PackInfo, hookimpl
    from handrail.events import StopObserving
    from pydantic import BaseModel

    class Told(BaseModel):
        url: str = ""

    @hookimpl
    def pack_info():
        return PackInfo(settings=Told)

    @hookimpl
    def observe(event, settings):
        raise StopObserving
"""


@pytest.fixture
def teller(garden):
    """A pack whose module of hooks waits for one of two variables."""
    points = {"packs_if_set": {"ACME_URL": "acme_tell.hooks", "ACME_TRACES": "acme_tell.hooks"}}
    modules = {"acme_tell/__init__.py": "", "acme_tell/hooks.py": TOLD}
    return garden.plant("acme-tell", points=points, modules=modules)


@pytest.mark.parametrize(
    ("toml", "variables", "flags"),
    [
        ("", {"ACME_URL": "http://acme.example"}, {}),
        ("", {"ACME_URL": "x", "ACME_TRACES": "y"}, {}),
        ("[packs.acme-tell]\nurl = 'x'\n", {}, {}),
        ("[packs.acme_tell]\n", {}, {}),
        ("", {"HANDRAIL_ACME_TELL_URL": "x"}, {}),
        ("", {}, {"pack_values": (("acme-tell", "url", "x"),)}),
    ],
    ids=["variable", "both", "settings", "empty-settings", "own-variable", "flag"],
)
def test_hooks_that_wait_for_a_variable_are_loaded_once_it_is_set(
    teller, packs, toml, variables, flags
):
    """Or once the pack has settings, whoever gives them; once, however many variables are set."""
    (pack,) = packs(toml, variables, **flags).contributors()
    assert (pack.id, set(pack.hooks)) == ("acme-tell", {"pack_info", "observe"})


@pytest.mark.parametrize("variables", [{}, {"ACME_URL": ""}, {"ACME_OTHER": "x"}])
def test_hooks_that_wait_for_a_variable_are_not_imported_without_it(
    teller, packs, garden, variables
):
    garden.plant_hooks("acme-a")
    found = packs("", variables)
    assert [pack.id for pack in found.contributors()] == ["acme-a"]
    assert found.observers() == []
    assert not [name for name in sys.modules if name.startswith("acme_tell")]
    assert found.catalog.pack("acme-tell").is_used


def test_hooks_that_wait_are_checked_nevertheless(teller, packs, garden):
    """By the doctor, and by a check of the pack alone; and who asks for settings gets them."""
    found = packs()
    assert found.check() == ()
    assert found.settings_of("acme-tell").url == ""
    record = found.catalog.pack("acme-tell")
    assert [pack.id for pack in found.alone(record).contributors()] == ["acme-tell"]
    teller.modules[1].write_text("from handrail import hookimpl\n@hookimpl\ndef zzz(): ...\n")
    del sys.modules["acme_tell.hooks"]
    (problem,) = packs().check()
    assert problem.code == "bad-hook"


def test_a_lock_has_no_packs_that_only_observe(teller, packs, garden):
    """So a variable that turns telemetry on does not make a plan another one than was locked."""
    garden.plant_hooks("acme-shapes")

    @step
    def send(context): ...

    found = packs("", {"ACME_URL": "http://acme.example"})
    assert len(found.contributors()) == 2
    plan = action("ship", [send]).action_class.partial({}, packs=found).plan()
    outline = outline_of(found, LockName(name="ship", pack=None), plan, with_files=False)
    assert [each.id for each in outline.packs] == ["acme-shapes"]


def test_any_unusable_pack_stops_planning(garden, packs):
    """Broken, incompatible and failing packs are all named at once, with exit code 4."""
    garden.plant_hooks("acme-fine")
    garden.plant_hooks("acme-raises", "1 / 0")
    garden.plant_hooks("acme-wrong", "from handrail import hookimpl\n@hookimpl\ndef zzz(): ...")
    garden.plant("acme-new", requires=["handrail>=99"])
    garden.plant("acme-half").modules[1].unlink()
    found = packs()
    with pytest.raises(PackError, match="4 packs cannot be used") as error:
        found.contributors()
    assert error.value.exit_code is ExitCode.PACK
    assert [problem.code for problem in error.value.problems] == [
        "pack-incompatible",
        "target-missing",
        "pack-broken",
        "bad-hook",
    ]
    assert isinstance(error.value.__cause__, ZeroDivisionError)
    off = packs(no_packs=("acme-raises", "acme-wrong", "acme-new", "acme-half"))
    assert [pack.id for pack in off.contributors()] == ["acme-fine"]


def test_one_unusable_pack_is_its_own_error(garden, packs):
    """A single broken pack is told with its place, and its cause is that of the error."""
    garden.plant_hooks("acme-raises", "raise RuntimeError('no licence')")
    with pytest.raises(PackError, match="1 pack cannot be used") as error:
        packs().contributors()
    assert isinstance(error.value.__cause__, RuntimeError)
    (problem,) = error.value.problems
    assert problem.message.startswith("acme-raises 1.4.0: hooks acme_raises (acme_raises.hooks)")
    assert problem.message.endswith("RuntimeError: no licence")
    assert problem.details == ("acme_raises/hooks.py:1",)
    assert any("--no-pack acme-raises" in way for way in problem.ways_out)


@pytest.mark.parametrize("code", ["target-missing", "pack-incompatible"])
def test_a_pack_without_hooks_stops_planning_too(garden, packs, code):
    """A pack that only offers steps and cannot be used is not passed over in silence."""
    plant = garden.plant(requires=["handrail>=99"] if code == "pack-incompatible" else [])
    if code == "target-missing":
        plant.modules[1].unlink()
    with pytest.raises(PackError, match="1 pack cannot be used") as error:
        packs().contributors()
    assert [problem.code for problem in error.value.problems] == [code]


def test_unknown_only_stops_planning(garden, packs):
    """Asking for a pack that is not there stops planning rather than running without it."""
    garden.plant_hooks()
    found = packs(only_packs=("acme-scam",))
    with pytest.raises(SettingsError) as error:
        found.contributors()
    assert "no installed pack is called acme-scam" in error.value.problems[0].message


# What planning asks of them


def test_grants(garden, packs):
    """Grants are by pack id, whichever of its names the project uses."""
    garden.plant(
        "acme-turbo", points={"packs": {"turbo": "acme_turbo"}}, modules={"acme_turbo.py": ""}
    )
    found = packs('[grants]\nturbo = ["replace Handrail_Upload:upload_files", "remove a:b"]')
    assert found.rules().grants == {
        "acme-turbo": frozenset({"replace handrail-upload:upload_files", "remove a:b"})
    }


def test_origin_of(garden, packs):
    """A module belongs to the pack whose package it is in; one that nobody owns is just itself."""
    garden.plant()
    garden.plant(
        "acme-tools-a",
        points={"steps": {"a": "tools.a.steps:A"}},
        modules={"tools/a/__init__.py": "", "tools/a/steps.py": ""},
    )
    garden.plant(
        "acme-tools-b",
        points={"steps": {"b": "tools.b:B"}},
        modules={"tools/b.py": ""},
    )
    found = packs()
    assert str(found.origin_of("acme_scan.deep.down")) == "acme-scan 1.4.0"
    assert found.origin_of("tools.a.other").pack == "acme-tools-a"
    assert found.origin_of("tools.b").pack == "acme-tools-b"
    for module in ("tools", "tools.c", "acme", "acme_scanner", "json", ""):
        assert found.origin_of(module).pack is None
        assert found.origin_of(module).module == module
    assert "acme_scan" not in sys.modules


def test_origin_of_editable_install(garden, packs):
    """An editable install, whose RECORD has no modules, owns what its entry points lead to."""
    plant = garden.plant()
    finder = "__editable___acme_scan_finder.py"
    plant.record.write_text(f"acme.pth,,\n{finder},,\n{plant.info.name}/METADATA,,\n")
    (garden.site / "acme.pth").write_text("")
    (garden.site / finder).write_text("")
    assert packs().origin_of("acme_scan.steps").pack == "acme-scan"


def test_origin_of_shared_packages(garden, packs):
    """A package that several packs share belongs to none of them; their own modules do."""
    for name in ("acme-a", "acme-b"):
        module = f"tools.{name[-1]}"
        plant = garden.plant(
            name,
            points={"steps": {name: f"{module}:Step"}},
            modules={f"{module.replace('.', '/')}.py": ""},
        )
        plant.record.write_text(f"{plant.info.name}/METADATA,,\n")
    found = packs()
    assert found.origin_of("tools.other").pack is None
    assert found.origin_of("tools.a").pack == "acme-a"


def test_observers(garden, packs):
    """Packs that observe get events, with their settings; one that raises names its pack."""
    garden.plant_hooks(
        source="""
            from handrail import hookimpl
            seen = []

            @hookimpl
            def observe(event, settings):
                seen.append((event, settings))
                1 / (event.percent - 3)
        """,
    )
    garden.plant_hooks("acme-blind")
    (observer,) = packs("[packs.acme-scan]\na = 1").observers()
    event = ProgressChanged(percent=2)
    observer(event)
    assert sys.modules["acme_scan.hooks"].seen == [(event, {"a": 1})]
    with pytest.raises(PackError, match=r"the hook observe of acme-scan 1\.4\.0 raised"):
        observer(ProgressChanged(percent=3))


def test_check_imports_everything(garden, packs):
    """The thorough check also finds steps that cannot be imported, and never raises."""
    garden.plant("acme-one", modules={"acme_one/__init__.py": "", "acme_one/steps.py": "1 / 0"})
    garden.plant_hooks(
        "acme-two",
        """
            from pydantic import BaseModel
            from handrail import PackInfo, hookimpl

            class Scan(BaseModel):
                level: int = 1

            @hookimpl
            def pack_info():
                return PackInfo(settings=Scan)
        """,
    )
    garden.plant("acme-half").modules[1].unlink()
    problems = packs("[packs.acme-two]\nlevle = 1").check()
    assert sorted(problem.code for problem in problems) == [
        "bad-setting",
        "pack-broken",
        "target-missing",
    ]


def test_installed_reads_this_process(garden):
    """By default everything comes from this process: its path, its folder, its variables."""
    garden.plant()
    (garden.project / "handrail.toml").write_text('[packs]\ndisable = ["acme-scan"]')
    code = """
        from handrail.packs.installed import installed_packs
        (record,) = [each for each in installed_packs().records if each.id == "acme-scan"]
        print(record.status, record.why)
    """
    assert garden.run(code) == "off handrail.toml:2  packs.disable\n"
    assert garden.run(code, HANDRAIL_NO_PACKS="acme-scan") == "off HANDRAIL_NO_PACKS\n"


def test_installed_takes_what_it_is_given(tmp_path):
    """Folder, flags and variables can be given."""
    found = installed_packs(start=tmp_path, no_packs=["a"], environ={"HANDRAIL_ONLY_PACKS": "b"})
    assert settings_of(found).project.folder == tmp_path
    sources = [source for _, _, source in rows_of(settings_of(found))]
    assert sources == ["--no-pack", "HANDRAIL_ONLY_PACKS", *["default"] * 4]


def test_a_pack_alone_is_on_and_has_its_own_settings_only(garden, packs):
    """Neither what switches it off, nor what is required or fixed of others, counts there."""
    garden.plant_hooks("acme-scan")
    garden.plant_hooks("acme-other")
    toml = (
        '[packs]\ndisable = ["acme-scan"]\n[packs.acme-scan]\ndeep = true\n'
        '[required]\npacks = ["acme-gone"]\n'
    )
    found = packs(toml, no_packs=("acme-scan",))
    record = next(each for each in found.records if each.id == "acme-scan")
    assert record.status == "off"
    alone = found.alone(record)
    assert [(each.id, each.status) for each in alone.records] == [("acme-scan", "on")]
    assert alone.check() == ()
    (pack,) = alone.contributors()
    assert pack.settings == {"deep": True}


def test_a_distribution_that_is_no_pack_can_be_alone_too(packs):
    """It is checked against this core as a pack is."""
    record = PackRecord(id="acme-lib", name="acme-lib", version="1.0", requires=("handrail>=99",))
    (problem,) = packs().alone(record).check()
    assert problem.code == "pack-incompatible"


def test_packs_can_be_looked_for_in_other_folders(garden):
    """With the settings of a folder of one's own."""
    garden.plant_hooks("acme-scan")
    found = installed_packs(start=garden.project, environ={}, path=[str(garden.site)])
    assert [record.id for record in found.records] == ["acme-scan"]
