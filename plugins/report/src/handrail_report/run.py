"""The view of one run, from the JSON that `handrail show --json` writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from handrail.amounts import plural, seconds
from handrail.records import UNDONE, is_failure
from handrail_report.attachments import attachments_section
from handrail_report.elements import Content, element, joined
from handrail_report.logs import logs_section
from handrail_report.metrics import metrics_section
from handrail_report.parts import (
    command,
    exception,
    facts,
    failure,
    headline,
    left_out,
    moment,
    named,
    opened,
    origin_text,
    owner_text,
    run_link,
    section,
    table,
    took_text,
    value,
)
from handrail_report.plan_drawing import plan_picture
from handrail_report.shown import Link, Shown, part, parts
from handrail_report.states import look_of
from handrail_report.steps import progress_of, steps_section
from handrail_report.templates import badge

_MOST_STEPS = 150
_MOST_FAILED = 10
_MOST_ITEMS = 20
_LONGEST = 20_000  # Letters of a traceback.
_DEATH = ": killed, power, or its journal failed."
_PURPOSES = {
    "finish": "Finish it",
    "undo": "Undo it",
    "again": "Try the undo again",
    "see": "See what is damaged",
}


def run_sections(shown: Shown, *, link: Link | None = None) -> dict[str, Markup]:
    """Return the parts of the view of a run by their ids, in order.

    A part for which the run has nothing is left out.

    Args:
        shown: The JSON object of the run.
        link: Returns the address of the page of another run; None where there is none.
    """
    number = shown["run"]["id"]
    found: dict[str, Markup | None] = {
        "outcome": _outcome(shown, link),
        "steps": steps_section(shown),
        "plan": _plan(shown),
        "metrics": metrics_section(shown["steps"], number),
        "attachments": attachments_section(shown["steps"], number),
        "items": _items(shown["steps"], number),
        "params": _params(shown["run"]),
        "logs": logs_section(shown["steps"], number),
        "packs": _packs(shown["run"]),
    }
    return {name: each for name, each in found.items() if each is not None}


def _outcome(shown: Shown, link: Link | None) -> Markup:
    run = shown["run"]
    state = badge(run["state"], more="sealed" if run.get("sealed") else "")
    said = [each for each in (_sentence(shown), *_causes(shown), _more_known(run)) if each]
    notice = element("div", said, class_=f"notice {look_of(run['state']).tone}")
    title = f"run {run['id']} · {run['action']}"
    return headline(title, state, notice, _ways(run), _about(run, link))


def _sentence(shown: Shown) -> Content:
    """Return what became of the run, in a sentence."""
    run, steps = shown["run"], shown["steps"]
    took, undo = seconds(run["took"]), seconds(run["undo_took"])
    at = joined(" at ", element("strong", run["cause"])) if run["cause"] else None
    state, undone = run["state"], sum(step["state"] in UNDONE for step in steps)
    but = exception(run["not_undone"])
    sentences: dict[str, Content] = {
        "completed": ("Completed in ", took, "."),
        "rolled back": (
            ("Failed", at, f", and rolled back in {undo}: ") if at else f"Rolled back in {undo}: ",
            f"{plural(undone, 'step')} undone",
            f",{but}." if but else ", nothing is left.",
        ),
        "rollback incomplete": (
            ("Failed", at, ", and the undo ") if at else "The undo ",
            f"could not undo {plural(len(run['left']), 'step')}.",
        ),
        "failed (kept)": ("Failed", at, f" after {took}; what is done was kept."),
        "interrupted": ("Interrupted after ", took, _undoing(run), ". ", _death(run)),
        "running": ("Running for ", took, _undoing(run), ". ", _owner(run), "."),
        "stalled": ("No sign of life since ", moment(run["heard"]), ". ", _owner(run), "."),
        "damaged": "What the journal has of this run is not what was written.",
    }
    return element("p", sentences.get(state, state), class_="lead")


def _undoing(run: Shown) -> str:
    return " while it was being undone" if run["direction"] == "undo" else ""


def _owner(run: Shown) -> str:
    owner = run["owner"]
    by = f" for {owner['user']}" if owner.get("user") else ""
    return f"Process {owner.get('pid')} on {owner.get('host')} works on it{by}"


def _death(run: Shown) -> Content:
    owner = run["owner"]
    process = f"process {owner.get('pid')} on {owner.get('host')}"
    if run["given_up"]:
        return f"Its {process} gave it up: a signal, or no room for its record."
    return (f"Its {process} was heard of last at ", moment(run["heard"]), _DEATH)


def _causes(shown: Shown) -> Iterator[Content]:
    """Yield why steps failed, the cause first and opened, and why undos did."""
    steps = sorted(shown["steps"], key=lambda step: step["name"] != shown["run"]["cause"])
    failures = [
        (step, "failed" if is_failure(step["error"]) else "was stopped", "")
        for step in steps
        if step.get("error")
    ]
    failures += [(step, "could not be undone", "undo_") for step in steps if step.get("undo_error")]
    for place, (step, word, kind) in enumerate(failures[:_MOST_FAILED]):
        who = origin_text(step.get("origin"))
        error = element("span", step[f"{kind}error"][:_LONGEST], class_="error")
        head = element("p", element("strong", step["name"]), f" ({who}) {word}: ", error)
        trace = step.get(f"{kind}traceback")
        whole = trace and opened(
            "Traceback", element("pre", trace[-_LONGEST:]), at_once=place == 0 and not kind
        )
        yield joined(head, whole)
    number = shown["run"]["id"]
    yield left_out(len(failures) - _MOST_FAILED, "that failed", f"handrail show {number} --all")
    for each in parts(shown, "damaged")[:_MOST_FAILED]:
        yield element("p", each.get("message"))


def _more_known(run: Shown) -> Content:
    lines: list[Content] = []
    if run.get("sealed"):
        lines.append(f"It can no longer be undone: {run['sealed']}")
    if run["left"]:
        lines.append(("Left: ", _listed([named(each) for each in run["left"]])))
    if run["stays"] and (run["ways"] or run["state"] == "rolled back"):
        they = "it has" if len(run["stays"]) == 1 else "they have"
        stays = _listed([named(each) for each in run["stays"]])
        lines.append(("Not undone: ", stays, f" ({they} no way back)."))
    lines += [
        (
            f"{each['step']} was undone by hand: {each['reason']} ({each['by']}, ",
            moment(each["at"]),
            ")",
        )
        for each in run["by_hand"]
    ]
    return [element("p", line) for line in lines]


def _listed(names: Sequence[Markup], most: int = 20) -> Markup:
    more = f" and {len(names) - most:,} more" if len(names) > most else None
    return joined([(", " * (place > 0), name) for place, name in enumerate(names[:most])], more)


def _ways(run: Shown) -> Markup | None:
    """Return the commands that can follow, each with its effect."""
    ways, effects = part(run, "ways"), part(run, "would")
    pairs: list[tuple[str, Content]] = []
    for purpose, words in ways.items():
        effect = element("span", effects.get(purpose), class_="muted")
        pairs.append((_PURPOSES.get(purpose, purpose), (command(words), " ", effect)))
    return facts(pairs) if pairs else None


def _about(run: Shown, link: Link | None) -> Markup:
    pairs: list[tuple[str, Content]] = [
        ("started", moment(run["started"])),
        ("ended", moment(run["ended"])),
        ("took", took_text(run)),
        ("by", owner_text(run["owner"])),
        ("in", element("code", run["folder"]) if run["folder"] else None),
        ("relies on", _runs(run["relies_on"], link)),
        ("relied on by", _runs(run["relied_on_by"], link)),
    ]
    items = [
        element("div", element("dt", name), element("dd", value)) for name, value in pairs if value
    ]
    return element("dl", items, class_="about")


def _runs(numbers: Sequence[int], link: Link | None) -> Content:
    return ("run ", _listed([run_link(each, link) for each in numbers])) if numbers else None


def _plan(shown: Shown) -> Markup | None:
    """Return the picture of the plan, with how far each step came."""
    run, steps = shown["run"], shown["steps"]
    if not steps:
        return None
    parallel = {name: run[name] for name in ("groups", "actions") if name in run}
    plan = {"action": run["action"], "steps": steps, **parallel}
    states = {step["name"]: step["state"] for step in steps}
    notes = {step["name"]: seconds(step["took"]) for step in steps if step["took"] is not None}
    notes |= {step["name"]: told for step in steps if (told := progress_of(step)) is not None}
    return section("plan", "Plan", plan_picture(plan, states, notes))


def _items(steps: Sequence[Shown], number: int) -> Markup | None:
    """Return the counts of the items of each step, and why the first ones failed."""
    having = [step for step in steps if step.get("items")]
    if not having:
        return None
    kinds = ("done", "failed", "begun", "undone", "left")
    used = [kind for kind in kinds if any(step["items"].get(kind) for step in having)]
    rows = [
        (named(step["name"]), *(f"{step['items'][kind]:,}" for kind in used))
        for step in having[:_MOST_STEPS]
    ]
    counts = table(
        ("step", *used), rows, says="The items of each step", numbers=used, class_="fits"
    )
    more = left_out(len(having) - _MOST_STEPS, "steps with items", f"handrail show {number} --all")
    failures = [
        _failures(step, number) for step in having[:_MOST_STEPS] if step["items"]["failures"]
    ]
    return section("items", "Items", counts, more, failures)


def _failures(step: Shown, number: int) -> Markup:
    items = step["items"]
    shown = items["failures"][:_MOST_ITEMS]
    rows = [failure(f"item {each['item']:,}", each["error"], each["traceback"]) for each in shown]
    failed = max(items["failed"], items["left"], len(shown))
    more = left_out(
        failed - len(shown), "that failed", f"handrail show {number} --step {step['name']} --json"
    )
    title = element("h3", f"Why items of {step['name']} failed")
    return joined(title, element("ul", rows), more)


def _params(run: Shown) -> Markup | None:
    """Return the params that differ from their defaults, and on demand all of them."""
    given = part(run, "given")
    values = part(part(run, "params"), "values")
    others = {name: each for name, each in values.items() if name not in given}
    if not (given or others):
        return None
    first = (
        _values(given) if given else element("p", "None differs from its default.", class_="muted")
    )
    rest = others and opened(f"{plural(len(others), 'param')} as by default", _values(others))
    return section("params", "Params", first, rest)


def _values(params: Shown) -> Markup:
    return facts((name, value(each)) for name, each in params.items())


def _packs(run: Shown) -> Markup | None:
    """Return the packs of the plan, and which of them have changed since."""
    packs = part(run, "packs")
    core = f"Handrail {run['core_version']}" if run.get("core_version") else ""
    plan = f"plan {run['plan'][:8]}" if run.get("plan") else ""
    about = element("p", " · ".join(filter(None, (plan, core))), class_="muted small")
    rows = [(named(name), each["then"], _now(each)) for name, each in packs.items()]
    names = ("pack", "in this run", "now")
    versions = rows and table(names, rows, says="The versions of packs", class_="fits")
    return section("packs", "Packs", versions, about)


def _now(versions: Mapping[str, str | None]) -> Content:
    now = versions["now"]
    if now == versions["then"]:
        return element("span", "the same", class_="muted")
    return element("strong", "not installed any more" if now is None else now)
