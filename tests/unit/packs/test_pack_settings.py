"""A pack's own settings: its table in the project file, checked by its model."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from handrail.errors import SettingsError
from handrail.hookspecs import PackInfo, hookimpl
from handrail.packs.loader import load_inline

MODEL = """
    from pydantic import BaseModel
    from handrail import PackInfo, hookimpl

    class Scan(BaseModel):
        level: int = 1
        hosts: list[str] = []

    @hookimpl
    def pack_info():
        return PackInfo(settings=Scan)

    @hookimpl
    def setup_steps(action, registry, settings):
        return settings
"""


INNER = """class Limits(BaseModel, extra="forbid"):
        size: int = 1

    class Scan(BaseModel):
        limits: Limits = Limits()"""


@pytest.mark.parametrize("name", ["acme-scan", "Acme_Scan", "acme_scan"])
def test_pack_settings_are_validated(garden, packs, name):
    """A pack with a model gets an instance of it, from its table under any of its names."""
    garden.plant_hooks(source=MODEL)
    (pack,) = packs(f'[packs.{name}]\nlevel = 3\nhosts = ["a"]').contributors()
    assert (pack.settings.level, pack.settings.hosts) == (3, ["a"])
    assert pack.call("setup_steps", action=1, registry=2) is pack.settings
    (pack,) = packs("").contributors()
    assert pack.settings.level == 1


def test_pack_settings_without_model(garden, packs):
    """A pack without a model gets the plain table."""
    garden.plant_hooks()
    (pack,) = packs("[packs.acme-scan]\nany = [1]").contributors()
    assert pack.settings == {"any": [1]}


def test_wrong_pack_settings_name_their_lines(garden, packs):
    """Each setting that does not fit the model, or is unknown, is told with file and line."""
    garden.plant_hooks(source=MODEL)
    toml = '[packs.acme-scan]\nlevel = "high"\nhosts = ["a",\n  3]\nlevle = 2\n'
    with pytest.raises(SettingsError) as error:
        packs(toml).contributors()
    messages = [problem.message for problem in error.value.problems]
    assert len(messages) == 3
    assert messages[0] == "handrail.toml:5: [packs.acme-scan] there is no setting levle"
    assert error.value.problems[0].ways_out == ("did you mean level?",)
    assert messages[1].startswith("handrail.toml:2: [packs.acme-scan] level: ")
    assert messages[2].startswith("handrail.toml:4: [packs.acme-scan] hosts.1: ")


def test_settings_that_a_part_of_the_model_forbids(garden, packs):
    """An unknown key of a model within the model is told; the pack does not go without settings."""
    source = MODEL.replace("class Scan(BaseModel):", INNER)
    garden.plant_hooks(source=source)
    with pytest.raises(SettingsError) as error:
        packs("[packs.acme-scan]\nlimits.sise = 3\n").contributors()
    (problem,) = error.value.problems
    assert problem.message.startswith("handrail.toml:2: [packs.acme-scan] limits.sise: ")


def test_missing_pack_settings_say_where(garden, packs):
    """A setting that the model needs and the project lacks is told with the file."""
    garden.plant_hooks(source=MODEL.replace("level: int = 1", "level: int"))
    with pytest.raises(SettingsError) as error:
        packs("").contributors()
    message = error.value.problems[0].message
    assert message == "handrail.toml: [packs.acme-scan] level: Field required"


def test_given_settings():
    """A pack that is given can be given settings, checked by its model."""

    class Model(BaseModel):
        level: int = 1

    class Configured:
        @hookimpl
        def pack_info(self):
            return PackInfo(settings=Model)

    assert load_inline(Configured(), settings={"level": 2}).settings.level == 2
    with pytest.raises(SettingsError) as error:
        load_inline(Configured(), settings={"level": "x"})
    assert error.value.problems[0].message.startswith("settings of configured: [packs.configured]")


NESTED = """
    from pathlib import Path
    from pydantic import BaseModel
    from handrail import PackInfo, hookimpl

    class Limits(BaseModel):
        size: int = 1

    class Scan(BaseModel):
        level: int = 1
        name: str = ""
        hosts: list[str] = []
        deep: bool = False
        limits: Limits = Limits()

    @hookimpl
    def pack_info():
        return PackInfo(settings=Scan)
"""


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("level", "3", 3),
        ("name", "3", "3"),
        ("name", "true", "true"),
        ("hosts", '["a", "b"]', ["a", "b"]),
        ("deep", "true", True),
        ("limits.size", "4", 4),
    ],
)
@pytest.mark.parametrize("way", ["flag", "variable"])
def test_settings_from_flags_and_variables(garden, packs, key, text, value, way):
    """Text is read as the model wants it, from `-p PACK.KEY=VALUE` and from a variable."""
    garden.plant_hooks(source=NESTED)
    variable = "HANDRAIL_ACME_SCAN_" + key.upper().replace(".", "_")
    options = (
        {"pack_values": (("acme-scan", key, text),)}
        if way == "flag"
        else {"variables": {variable: text}}
    )
    (pack,) = packs("", **options).contributors()
    found = pack.settings
    for name in key.split("."):
        found = getattr(found, name)
    assert found == value


def test_flag_over_variable_over_project(garden, packs):
    """The strongest source of a setting wins, one by one."""
    garden.plant_hooks(source=NESTED)
    (pack,) = packs(
        "[packs.acme-scan]\nlevel = 1\nname = 'project'\nlimits.size = 5\n",
        variables={"HANDRAIL_ACME_SCAN_LEVEL": "2", "HANDRAIL_ACME_SCAN_NAME": "variable"},
        pack_values=(("acme-scan", "level", "3"),),
    ).contributors()
    assert (pack.settings.level, pack.settings.name) == (3, "variable")
    assert pack.settings.limits.size == 5


@pytest.mark.parametrize(
    ("options", "source"),
    [
        ({"pack_values": (("acme-scan", "level", "high"),)}, "-p acme-scan.level"),
        ({"variables": {"HANDRAIL_ACME_SCAN_LEVEL": "high"}}, "HANDRAIL_ACME_SCAN_LEVEL"),
    ],
)
def test_wrong_text_names_its_source(garden, packs, options, source):
    """A value that does not fit is told with the option or the variable that it is from."""
    garden.plant_hooks(source=NESTED)
    with pytest.raises(SettingsError) as error:
        packs("", **options).contributors()
    assert error.value.problems[0].message.startswith(f"{source}: [packs.acme-scan] level: ")


def test_misspelt_variables_of_packs(garden, packs):
    """A variable near to one of a pack's settings is told; another may be anybody's."""
    garden.plant_hooks(source=NESTED)
    variables = {"HANDRAIL_ACME_SCAN_LEVLE": "3", "HANDRAIL_ACME_SCAN_CREDENTIALS": "x"}
    with pytest.raises(SettingsError) as error:
        packs("", variables=variables).contributors()
    (problem,) = error.value.problems
    assert problem.message == "HANDRAIL_ACME_SCAN_LEVLE: there is no such variable"
    assert problem.ways_out == ("did you mean HANDRAIL_ACME_SCAN_LEVEL?",)


def test_an_unknown_flag_is_told(garden, packs):
    """A setting on the command line that the model does not have is told with near names."""
    garden.plant_hooks(source=NESTED)
    with pytest.raises(SettingsError) as error:
        packs("", pack_values=(("acme-scan", "levle", "3"),)).contributors()
    (problem,) = error.value.problems
    assert problem.message == "-p acme-scan.levle: [packs.acme-scan] there is no setting levle"
    assert problem.ways_out == ("did you mean level?",)
