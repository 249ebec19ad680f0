"""Keys that are easily spoilt on their way through URLs, headers, XML and file systems."""

from __future__ import annotations

import pytest

from handrail_upload.errors import StorageError
from handrail_upload.storage import Listed

MARK = "0198-run/upload_files"

ODD = (
    *("with space", " before", "after ", "two  spaces", "'single'", '"double"', "`back`"),
    *("a#b", "a?b=c", "100%", "a%20b", "a%2Fb", "line%0Abreak", "%FF", "a*b", "{a}", "[a]", "<a>"),
    *("a|b", "a^b", "a~b", "a+b", "a&b=c;d", "a:b,c@d!e$(f)", "-dash", "..dots", "a..b", "..."),
    *(
        ".hidden",
        "a/.b/c",
        "é",
        "e\u0301",
        "\ufb01",
        "Ωμέγα",
        "文件",
        "😀.png",
        "\u2028",
        "\ufeffx",
    ),
    *("\u00a0", "\x85", "a/b c/d/e.txt", "/".join(["k" * 99] * 9)),
)
BACKSLASH = "back\\slash"  # Azurite makes it a slash.


@pytest.fixture
def odd(place) -> tuple[str, ...]:
    """The keys that this kind of storage must take."""
    if place.kind == "azurite":
        return ODD
    return (*ODD, BACKSLASH) if place.kind == "folder" else (*ODD, BACKSLASH, "é" * 450)


def test_odd_names_arrive_as_they_are(place, odd, source, sending):
    """Each is stored under the very key, found again, looked up, and deleted alone."""
    for number, key in enumerate(odd):
        place.storage.put(source(key, b"%d" % number), sending())

    assert sorted(place.keys()) == sorted(odd)
    found = place.storage.look_up(odd)
    assert set(found) == set(odd)
    for number, key in enumerate(odd):
        assert place.content(key) == b"%d" % number
        assert place.storage.stat(key).size == found[key].size == len(str(number))
    place.storage.delete(odd[1:])
    assert place.keys() == [odd[0]]


def test_odd_names_are_set_aside_and_put_back(place, odd):
    """The name under which one is kept is as good as its own."""
    if place.kind == "radosgw":
        odd = odd[::8]  # It copies nothing, and what takes the place of that is slow there.
    for number, key in enumerate(odd):
        place.leave(key, b"%d" % number)
        name = f".handrail-target/aside/0123/0198-run/{key}"
        place.storage.set_aside(key, name)
        place.storage.delete([key])
        assert place.storage.put_over(name, key, None)
        place.storage.delete([name])
    assert [place.content(key) for key in odd] == [b"%d" % number for number in range(len(odd))]
    assert sorted(place.keys()) == sorted(odd)


@pytest.mark.parametrize("place", ["memory", "moto", "radosgw", "azurite"], indirect=True)
@pytest.mark.parametrize("key", ["line\nbreak", "tab\there", "bell\x07", "a//b", "a/../b"])
def test_impossible_keys_are_refused(place, source, sending, key):
    """What the client cannot send is an error that says so, not another key; folders take it."""
    with pytest.raises(StorageError, match="path"):
        place.storage.put(source(key, b"1"), sending())
    assert place.keys() == []


# Looking up


KEYS = [
    # In the order of their UTF-8, which is not that of UTF-16: 😀 comes last.
    *("!", "#", "0", "A", "Z", "a", "a b", "a!", "a!b", "a-", "a.", "a.b", "a0", "aa", "ab", "ab0"),
    *("ac!", "ac/c", "ac0", "b/a", "b/a b", "b/b/c/d", "b0", "z", "~", "é", "文", "\ufb01", "😀"),
]
OTHERS = ["#0", "a!a", "ac/b", "b/a c", "b/b/c/c", "zz", "~~", "éa", "😀0", "\U0001f601"]


@pytest.mark.parametrize("count", [len(KEYS), 7], ids=["listed", "asked one by one"])
def test_look_up_finds_just_what_it_is_asked_for(place, count):
    """Of many keys and of few, those that are there, and none of their neighbours."""
    wanted = KEYS if count == len(KEYS) else KEYS[:: len(KEYS) // count][:count]
    for key in wanted[1::2]:
        place.leave(key, key.encode())
    for key in OTHERS:
        place.leave(key, b"not asked for")

    found = place.storage.look_up(wanted[::-1])
    assert sorted(found) == sorted(wanted[1::2])
    for key, listed in found.items():
        there = place.storage.stat(key)
        assert isinstance(listed, Listed)
        assert (listed.key, listed.size) == (key, len(key.encode()))
        assert listed.etag == there.etag


def test_look_up_takes_more_keys_than_a_page_has(place):
    """A listing goes on as long as it has to."""
    keys = [f"d{number % 7}/k{number}" for number in range(1200)]
    for key in keys[::100]:
        place.leave(key, b"1")
    assert sorted(place.storage.look_up(keys)) == sorted(keys[::100])


@pytest.mark.parametrize("place", ["moto", "radosgw"], indirect=True)
@pytest.mark.parametrize("key", ["k//b", "k//", "k/../b", "k/./b"])
def test_keys_of_others_that_no_client_takes_do_no_harm(place, key):
    """Somebody else's key may be one that the client refuses; ours are found all the same."""
    place.leave(key, b"1")
    keys = [f"{letter}{number}" for letter in "akz" for number in range(10)]
    for wanted in keys[::7]:
        place.leave(wanted, b"1")
    assert sorted(place.storage.look_up(keys)) == sorted(keys[::7])
