"""Who gets in, what may change something, and what browsers are told."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import quote

import pytest
from recorded_runs import Journal, done, ended, planned
from sites import HOST, Open

from handrail_web.security import HEADERS, Door, own_key

PATHS = ("/", "/runs/1", "/compare?run=1&run=2", "/live", "/plans", "/plans/x", "/packs")
ASSETS = ("/style.css", "/page.js", "/icon/good.svg")
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\x1b]0;x\x07\u202e\"'&"


@pytest.mark.parametrize("path", [*PATHS, *ASSETS])
def test_nobody_gets_in_without_the_token(open_site: Open, path: str) -> None:
    stranger = open_site(let_in=False)
    for address in (path, f"{path}{'&' if '?' in path else '?'}enter=wrong"):
        answer = stranger.get(f"{stranger.root}{address}")
        assert (answer.status_code, answer.headers.get("set-cookie")) == (403, None)


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_server_sees(
    open_site: Open,
) -> None:
    browser = open_site(let_in=False)
    door = browser.site.door
    assert browser.get("/").status_code == 404
    answer = browser.get(f"{browser.root}/", params={"enter": door._token, "text": "a b"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{browser.root}/?text=a+b"
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", f"Path={browser.root}/"} <= set(cookie.split("; "))
    # Other servers of this machine get it only for a path that they do not know.
    assert len(browser.root) > 12
    assert browser.page()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8321", "", "[::1"])
def test_a_name_of_somebody_else_that_leads_here_is_refused(open_site: Open, host: str) -> None:
    """DNS rebinding: the page of a site that has made its own name lead to this machine."""
    browser = open_site()
    assert browser.get(f"{browser.root}/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:99", "127.0.0.1", "[::1]:8321", "10.0.0.7:80"])
def test_addresses_and_own_names_are_taken(open_site: Open, host: str) -> None:
    browser = open_site()
    assert browser.get(f"{browser.root}/", headers={"host": host}).status_code == 200


def test_every_answer_tells_browsers_to_take_nothing_from_elsewhere(open_site: Open) -> None:
    browser = open_site()
    root = browser.root
    asked = [browser.get(f"{root}{path}") for path in (*ASSETS, "/", "/runs/9", "/nowhere")]
    asked += [browser.get("/"), browser.get(f"{root}/", headers={"host": "evil.example"})]
    asked.append(open_site(let_in=False).get(f"{root}/"))
    assert {answer.status_code for answer in asked} == {200, 403, 404, 421}
    for answer in asked:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_without_leave_for_changes_no_route_takes_any(open_site: Open, journal: Journal) -> None:
    journal.add([planned("scan")], done("scan"), outcome="completed")
    browser = open_site()
    assert {each for route in browser.routes for each in route.methods} == {"GET", "HEAD"}
    for path in ("/", "/runs/1", "/runs/1/rollback"):
        answer = browser.post(f"{browser.root}{path}", headers={"origin": f"http://{HOST}"})
        assert answer.status_code in (404, 405)
    assert browser.get(f"{browser.root}/runs/1/rollback").status_code == 404
    assert "rollback" not in browser.page("/runs/1").replace("handrail rollback 1", "")


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:9999", f"http://x.{HOST}"]
)
def test_a_page_of_another_origin_changes_nothing(
    open_site: Open, journal: Journal, origin: str | None
) -> None:
    journal.add([planned("scan")], done("scan"), outcome="completed")
    browser = open_site(allow_changes=True)
    headers = {} if origin is None else {"origin": origin}
    answer = browser.post(f"{browser.root}/runs/1/rollback", headers=headers)
    assert answer.status_code == 403
    assert browser.site.commands.started("1") is None


def test_a_form_that_is_too_long_is_not_read(open_site: Open) -> None:
    browser = open_site(allow_changes=True)
    answer = browser.post(
        f"{browser.root}/runs/1/rollback",
        headers={"origin": f"http://{HOST}"},
        content=b"x" * 20_000,
    )
    assert answer.status_code == 413


def test_what_a_run_says_is_never_markup(open_site: Open, journal: Journal) -> None:
    """Whatever its names, params, errors and values are."""
    step = planned(HOSTILE, reason=HOSTILE)
    failed = ended(HOSTILE, "failed", error=HOSTILE, traceback=HOSTILE)
    for _ in range(2):
        journal.add([step], failed, outcome="failed", action=HOSTILE, project=HOSTILE, cwd=HOSTILE)
    browser = open_site()
    pages = [
        browser.page(),
        browser.page("/", text=HOSTILE),
        browser.page("/", action=HOSTILE),
        browser.page("/runs/1"),
        browser.page("/compare", run=[1, 2]),
        browser.get(f"{browser.root}/runs/{quote(HOSTILE)}").text,
    ]
    for text in pages:
        assert text.count("<script") == 1  # Ours.
        assert "<img" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "&lt;script&gt;" in pages[3]


def test_no_page_has_a_script_or_a_style_of_its_own(open_site: Open, journal: Journal) -> None:
    journal.add([planned("scan")], ended("scan", "failed", error="no"), outcome="failed")
    journal.add([planned("scan")], done("scan"), outcome="completed")
    browser = open_site()
    for path in ("/", "/runs/1", "/runs/2", "/compare?run=1&run=2", "/nowhere"):
        text = browser.get(f"{browser.root}{path}").text
        assert " style=" not in text
        assert "<style" not in text
        assert " onclick" not in text
        assert text.count("<script ") == text.count(f'<script src="{browser.root}/page.js"') == 1
        assert "http" not in text.replace("http://www.w3.org/", "")


def test_the_key_is_kept_for_this_user_alone(tmp_path: Path) -> None:
    first = own_key()
    assert own_key() == first
    (file,) = (tmp_path / "state" / "handrail").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Door(first, "127.0.0.1").path == Door(own_key(), "127.0.0.1").path
    file.chmod(0o644)  # Others may have read it.
    assert own_key() != first


def test_without_a_place_for_the_key_there_is_one_for_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    keys = {own_key(), own_key()}
    assert {len(key) for key in keys} == {32}
    assert len(keys) == 2
    assert os.listdir(tmp_path / "project") == []
