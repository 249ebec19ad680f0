"""The sections for actions, workflows, local names and requirements: values, and every mistake."""

from __future__ import annotations

import pytest

from handrail.builtin.cli.commands.config import rows_of
from handrail.builtin.project.configuration import read_settings
from handrail.builtin.project.settings import Insert, LocalName, RequiredPack, Wrap
from handrail.plan.edits import Limiting, Removal
from handrail.plan.rules import RequiredStep


def read(folder, toml):
    (folder / "handrail.toml").write_text(toml)
    return read_settings(folder, {})


def sentences_of(folder, toml):
    """Return `sentence` or `sentence (way out)` for everything that is wrong."""
    return [
        problem.message + (f" ({problem.ways_out[0]})" if problem.ways_out else "")
        for problem in read(folder, toml)[1]
    ]


ALL = """
[actions.upload]
params = { source = "photos", limits = { size = 3 } }
insert = [
  { step = "acme-webp:to_webp", as = "webp", before = "upload_files", options = { quality = 85 } },
  { step = "notify", after = "cleanup", if_missing = "skip" },
  { step = "audit" },
]
remove = ["analyze"]
wrap.upload_files = ["timing", { use = "retry", attempts = 5 }]
steps.upload_files = { timeout = 30, rollback_retries = 3 }

[workflows.nightly]
extends = "upload"
remove = ["audit"]

[local.actions]
export = "flows.py:export"

[local.steps]
notify = "company.steps:Notify"

[required]
packs = ["Acme_Scan >= 1.4, <2", "acme-audit"]
steps = [
  { step = "acme-scan:scan_files", before = "upload_files", in = "*" },
  { step = "acme-audit:audit", in = ["upload", "export"] },
]
"""


def without_origin(values):
    return [
        {name: getattr(each, name) for name in type(each).__slots__ if name != "origin"}
        for each in values
    ]


def test_everything_is_read(tmp_path):
    """Each key ends up where it belongs, with its line."""
    settings, problems = read(tmp_path, ALL)
    assert problems == ()
    upload, nightly = settings.actions["upload"], settings.workflows["nightly"]
    assert dict(upload.params) == {"source": "photos", "limits": {"size": 3}}
    at = upload.origin
    assert without_origin(upload.inserts) == without_origin(
        [
            Insert(
                step="acme-webp:to_webp",
                name="webp",
                side="before",
                anchor="upload_files",
                options={"quality": 85},
                origin=at,
            ),
            Insert(step="notify", side="after", anchor="cleanup", if_missing="skip", origin=at),
            Insert(step="audit", origin=at),
        ]
    )
    assert [each.origin.place for each in upload.inserts] == [
        "handrail.toml:5",
        "handrail.toml:6",
        "handrail.toml:7",
    ]
    assert upload.removes == (Removal(name="analyze", origin=upload.source_of("remove", 0)),)
    assert without_origin(upload.wraps) == without_origin(
        [
            Wrap(step="upload_files", use="timing", origin=at),
            Wrap(step="upload_files", use="retry", options={"attempts": 5}, origin=at),
        ]
    )
    assert upload.limits == (
        Limiting(
            name="upload_files",
            values={"timeout": 30, "rollback_retries": 3},
            origin=upload.source_of("steps", "upload_files"),
        ),
    )
    assert (nightly.extends, nightly.origin.place) == ("upload", "handrail.toml:13")
    assert without_origin(settings.local) == without_origin(
        [
            LocalName(kind="actions", name="export", target="flows.py:export", origin=at),
            LocalName(kind="steps", name="notify", target="company.steps:Notify", origin=at),
        ]
    )
    assert without_origin(settings.required.packs) == without_origin(
        [
            RequiredPack(id="acme-scan", specifiers=">=1.4,<2", origin=at),
            RequiredPack(id="acme-audit", specifiers="", origin=at),
        ]
    )
    assert without_origin(settings.required.steps) == without_origin(
        [
            RequiredStep(
                pack="acme-scan", name="scan_files", side="before", anchor="upload_files", origin=at
            ),
            RequiredStep(pack="acme-audit", name="audit", within=("upload", "export"), origin=at),
        ]
    )


def test_everything_is_read_in_pyproject(tmp_path):
    """The same tables below [tool.handrail] say the same, with the lines of that file."""
    own = rows_of(read(tmp_path, ALL)[0])
    (tmp_path / "handrail.toml").unlink()
    (tmp_path / "pyproject.toml").write_text("#\n" + ALL.replace("\n[", "\n[tool.handrail."))
    settings, problems = read_settings(tmp_path, {})
    assert problems == ()
    for (key, value, source), (own_key, own_value, own_source) in zip(
        rows_of(settings), own, strict=True
    ):
        assert (key, value) == (own_key, own_value)
        file, _, line = own_source.partition(":")
        assert source == (f"pyproject.toml:{int(line) + 1}" if line else file)


def test_everything_is_listed(tmp_path):
    """`config` has a row for each thing that the file says, with its line."""
    rows = rows_of(read(tmp_path, ALL)[0])
    assert rows[2:] == [
        ("actions.upload.params.source", "photos", "handrail.toml:3"),
        ("actions.upload.params.limits.size", 3, "handrail.toml:3"),
        (
            "actions.upload.insert",
            "acme-webp:to_webp(quality=85) as webp before upload_files",
            "handrail.toml:5",
        ),
        ("actions.upload.insert", "notify after cleanup", "handrail.toml:6"),
        ("actions.upload.insert", "audit", "handrail.toml:7"),
        ("actions.upload.remove", "analyze", "handrail.toml:9"),
        ("actions.upload.wrap.upload_files", "timing", "handrail.toml:10"),
        ("actions.upload.wrap.upload_files", "retry(attempts=5)", "handrail.toml:10"),
        ("actions.upload.steps.upload_files.timeout", 30, "handrail.toml:11"),
        ("actions.upload.steps.upload_files.rollback_retries", 3, "handrail.toml:11"),
        ("workflows.nightly.extends", "upload", "handrail.toml:14"),
        ("workflows.nightly.remove", "audit", "handrail.toml:15"),
        ("local.actions.export", "flows.py:export", "handrail.toml:18"),
        ("local.steps.notify", "company.steps:Notify", "handrail.toml:21"),
        ("required.packs", "acme-scan>=1.4,<2", "handrail.toml:24"),
        ("required.packs", "acme-audit", "handrail.toml:24"),
        (
            "required.steps",
            "acme-scan:scan_files before upload_files in *",
            "handrail.toml:26",
        ),
        ("required.steps", "acme-audit:audit in upload, export", "handrail.toml:27"),
        ("project.name", None, "default"),
        ("locked", False, "default"),
        ("executor.url", "processes", "default"),
        ("strict_results", False, "default"),
    ]


MISTAKES = [
    (
        "[actions.upload]\ninser = []",
        "handrail.toml:2: there is no setting actions.upload.inser (did you mean insert?)",
    ),
    (
        '[actions.upload]\nextends = "x"',
        "handrail.toml:2: there is no setting actions.upload.extends "
        "(known here: insert, params, remove, steps, wrap)",
    ),
    ("[actions]\nupload = 3", "handrail.toml:2: actions.upload has to be a table"),
    (
        '[actions.upload]\ninsert = ["x"]',
        "handrail.toml:2: actions.upload.insert.0 has to be a table",
    ),
    (
        '[actions.upload]\ninsert = [\n{ step = "x", befor = "y" }]',
        "handrail.toml:3: there is no setting actions.upload.insert.0.befor (did you mean before?)",
    ),
    (
        '[actions.upload]\ninsert = [{ step = "x", before = "y", after = "z" }]',
        "handrail.toml:2: a step stands before or after one step, not both",
    ),
    (
        '[actions.upload]\ninsert = [{ step = "x", if_missing = "no" }]',
        'handrail.toml:2: actions.upload.insert.0.if_missing has to be "error" or "skip"',
    ),
    (
        '[actions.upload]\ninsert = [{ before = "x" }]',
        "handrail.toml:2: actions.upload.insert.0 names no step, and no group with lanes "
        '({ step = "pack:step", before = "step" })',
    ),
    (
        '[actions.upload]\nwrap.x = "timing"',
        "handrail.toml:2: actions.upload.wrap.x has to be a list of names and tables",
    ),
    (
        "[actions.upload]\nwrap.x = [{ attempts = 3 }]",
        "handrail.toml:2: actions.upload.wrap.x.0 names no wrapper "
        '({ use = "retry", attempts = 5 })',
    ),
    (
        "[actions.upload.steps.x]\ntimout = 3",
        "handrail.toml:2: there is no setting actions.upload.steps.x.timout "
        "(did you mean timeout?)",
    ),
    (
        "[actions.upload.steps.x]\ntimeout = -1",
        "handrail.toml:2: actions.upload.steps.x.timeout: timeout is -1; it must be a number of "
        "seconds above 0",
    ),
    ("[actions.upload]\nsteps.x = 3", "handrail.toml:2: actions.upload.steps.x has to be a table"),
    (
        "[workflows.nightly]\n",
        "handrail.toml:1: workflows.nightly has none of extends, steps and chain; it needs one "
        '(extends = "upload")',
    ),
    (
        '[workflows.a]\nextends = "b"\nsteps = ["x"]',
        "handrail.toml:1: workflows.a has extends and steps of extends, steps and chain; it needs "
        'one (extends = "upload")',
    ),
    (
        '[actions.upload]\ninsert = [{ step = "x", if_missing = ["skip"] }]',
        'handrail.toml:2: actions.upload.insert.0.if_missing has to be "error" or "skip"',
    ),
    (
        "[workflows.a]\nchain = { first = 3 }",
        "handrail.toml:2: workflows.a.chain.first has to be text",
    ),
    (
        '[workflows.a]\nchain = ["b"]\ninputs = { "b.source" = 3 }',
        "handrail.toml:3: workflows.a.inputs.b.source has to be text",
    ),
    ('[actions.upload]\nsteps = ["x"]', "handrail.toml:2: actions.upload.steps has to be a table"),
    (
        "[workflows.a]\nsteps = [3]",
        "handrail.toml:2: workflows.a.steps.0 has to be text or a table",
    ),
    (
        '[workflows.a]\nsteps = [\n{ step = "x", before = "y" }]',
        "handrail.toml:3: there is no setting workflows.a.steps.0.before (known here: as, grace, "
        "heartbeat_timeout, isolated, memory, options, rollback_retries, rollback_timeout, "
        "rollback_wait, step, timeout)",
    ),
    (
        '[workflows.a]\nsteps = [{ parallel = "m" }]',
        "handrail.toml:2: workflows.a.steps.0 names no step, and no group with lanes "
        '({ step = "pack:step", before = "step" })',
    ),
    (
        '[workflows.a]\nsteps = [{ parallel = "m", lanes = "x" }]',
        "handrail.toml:2: workflows.a.steps.0.lanes has to be a list of lanes",
    ),
    (
        '[workflows.a]\nsteps = [{ parallel = "m", lanes = ["x"], as = "n" }]',
        "handrail.toml:2: there is no setting workflows.a.steps.0.as "
        "(known here: concurrency, lanes, parallel)",
    ),
    (
        '[workflows.a]\nsteps = [{ parallel = "m", lanes = [{ parallel = "n" }] }]',
        "handrail.toml:2: there is no setting workflows.a.steps.0.lanes.0.parallel (known here: "
        "as, grace, heartbeat_timeout, isolated, memory, options, rollback_retries, "
        "rollback_timeout, rollback_wait, step, timeout)",
    ),
    (
        '[workflows.a]\nextends = "b"\n[workflows.b]\nextends = "c"\n[workflows.c]\nextends = "c"',
        "handrail.toml:5: the workflow c is made of itself (let it extend an action)",
    ),
    (
        '[local.steps]\nx = "steps.py"',
        'handrail.toml:2: local.steps.x has to be FILE.py:NAME or MODULE:NAME (x = "flows.py:x")',
    ),
    (
        "[local.step]\n",
        "handrail.toml:1: there is no setting local.step (did you mean steps?)",
    ),
    (
        '[required]\npacks = ["a b"]',
        "handrail.toml:2: required.packs: 'a b' is not a pack with or without a range "
        '(packs = ["acme-scan>=1.4,<2"])',
    ),
    (
        '[required]\nsteps = [{ step = "scan", before = "x" }]',
        "handrail.toml:2: required.steps: an item has to name a step of a pack "
        '({ step = "acme-scan:scan_files", before = "upload_files", in = "*" })',
    ),
    (
        '[required]\nsteps = [{ step = "a:b" }]',
        'handrail.toml:2: required.steps: a step required in "*" has to stand before or after '
        'another ({ step = "acme-scan:scan_files", before = "upload_files", in = "*" })',
    ),
    (
        '[required]\nsteps = [{ step = "a:b", before = "c", in = [] }]',
        "handrail.toml:2: required.steps: `in` names no action, so nothing is required",
    ),
    (
        '[required]\nsteps = [{ step = "a:b", in = ["*", "x"] }]',
        'handrail.toml:2: required.steps: a step required in "*" has to stand before or after '
        'another ({ step = "acme-scan:scan_files", before = "upload_files", in = "*" })',
    ),
    ("locked = 1", "handrail.toml:1: locked has to be true or false"),
]


@pytest.mark.parametrize(("toml", "sentence"), MISTAKES, ids=[toml for toml, _ in MISTAKES])
def test_mistakes(tmp_path, toml, sentence):
    """Each mistake is told with file, line and way out, and nothing else is."""
    assert sentences_of(tmp_path, toml) == [sentence]


def test_a_workflow_is_made_of_steps_and_groups(tmp_path):
    """A lane is a step or a list of steps; a step is a name, or a table with its options."""
    toml = """
[workflows.nightly]
steps = [
  "fetch",
  { parallel = "media", concurrency = 2, lanes = [
    ["acme:resize", { step = "mark", as = "watermark", options = { size = 3 } }],
    "transcode",
    [],
  ] },
  { step = "publish" },
]
"""
    settings, problems = read(tmp_path, toml)
    assert problems == ()
    fetch, media, publish = settings.workflows["nightly"].steps
    assert (fetch.step, publish.step) == ("fetch", "publish")
    assert (media.step, media.name, media.concurrency) == ("", "media", 2)
    assert [[each.step for each in lane] for lane in media.lanes] == [
        ["acme:resize", "mark"],
        ["transcode"],
    ]
    assert (media.steps[1].name, media.steps[1].options) == ("watermark", {"size": 3})
    assert [each.origin.line for each in (fetch, media, *media.steps, publish)] == [
        *(4, 5, 6, 6, 7, 10),
    ]
    rows = [row for row in rows_of(settings, ()) if row[0].startswith("workflows")]
    assert [value for _, value, _ in rows] == [
        "fetch",
        "media [acme:resize, mark(size=3) as watermark | transcode], 2 at a time",
        "publish",
    ]


def test_a_group_is_inserted_like_a_step(tmp_path):
    """With a side and an anchor."""
    toml = """
[actions.upload]
insert = [{ parallel = "checks", lanes = ["scan", "count"], before = "send", if_missing = "skip" }]
"""
    settings, problems = read(tmp_path, toml)
    assert problems == ()
    (insert,) = settings.actions["upload"].inserts
    assert (insert.name, insert.side, insert.anchor) == ("checks", "before", "send")
    assert [each.step for each in insert.steps] == ["scan", "count"]


def test_what_is_wrong_is_not_used(tmp_path):
    """An action with a value of a wrong type is left out; the others are read."""
    toml = '[actions.upload]\ninsert = [3]\nremove = ["x"]\n[actions.export]\nremove = ["y"]'
    settings, _ = read(tmp_path, toml)
    assert list(settings.actions) == ["export"]
