"""A finished upload, run again, and checked."""

from __future__ import annotations

import json

import pytest


def fill(scene):
    scene.fill({f"sub/{number}.txt": 100 + number for number in range(9)})
    scene.fill({"large.bin": 11 << 20})


PARTS = ("--part-size", str(5 << 20))


def rows(scene):
    return scene.catalogue.rows()


def test_again_moves_nothing(scene):
    """No object is written, no row changed."""
    fill(scene)
    assert scene.upload_command(*PARTS).code == 0
    stamps, registered = scene.place.stamps(), rows(scene)
    done = scene.upload_command(*PARTS, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out.splitlines()[-1])["result"]
    assert (result["bytes"], result["uploaded_files"], result["unchanged_files"]) == (0, 0, 10)
    assert result["data_units"] == 0
    assert scene.place.stamps() == stamps
    assert rows(scene) == registered


def test_again_undone_leaves_the_first(scene, tools):
    """When the second run fails, nothing of the first one goes."""
    fill(scene)
    assert scene.upload(part_size=5 << 20).code == 0
    before = scene.world()
    done = scene.upload(tools.failing_after("generate_data_units"), part_size=5 << 20)
    assert done.code == 1
    assert scene.world() == before


def test_half_of_the_target_is_gone(scene):
    """Only what is missing is sent again."""
    fill(scene)
    assert scene.upload(part_size=5 << 20).code == 0
    stamps, registered = scene.place.stamps(), rows(scene)
    for number in range(0, 9, 2):
        scene.place.remove(f"sub/{number}.txt")
    done = scene.upload(part_size=5 << 20)
    assert done.code == 0
    assert done.result["uploaded_files"] == 5
    assert done.result["bytes"] == sum(100 + number for number in range(0, 9, 2))
    now = scene.place.stamps()
    assert now.keys() == stamps.keys()
    changed = {key.rpartition("/")[2] for key in now if now[key] != stamps[key]}
    assert changed <= {f"{number}.txt" for number in range(0, 9, 2)}
    assert rows(scene) == registered


def test_changed_source_is_a_conflict_and_then_replaced(scene):
    """A file of ours that has changed since is not replaced unless that was asked for."""
    fill(scene)
    assert scene.upload(part_size=5 << 20).code == 0
    scene.write("sub/3.txt", b"new")
    before = scene.world()
    done = scene.upload(part_size=5 << 20)
    assert done.code == 1
    assert "sub/3.txt: something else is stored there" in done.message
    assert scene.world() == before
    done = scene.upload(part_size=5 << 20, if_exists="overwrite")
    assert done.code == 0
    assert (done.result["uploaded_files"], done.result["unchanged_files"]) == (1, 9)
    assert scene.place.content("sub/3.txt") == b"new"
    files = rows(scene)["handrail_data_file"]
    assert len(files) == 10
    assert sorted(row[6] for row in files if row[3] == "sub/3.txt") == [3]


def test_changed_source_undone(scene, tools):
    """The rows get their former values back, too."""
    fill(scene)
    assert scene.upload(part_size=5 << 20).code == 0
    scene.write("sub/3.txt", b"new")
    before = scene.world()
    edit = tools.failing_after("generate_data_units")
    done = scene.upload(edit, part_size=5 << 20, if_exists="overwrite")
    assert done.code == 1
    assert scene.world() == before


def verified(scene, *words):
    done = scene.command("upload", "verify", "--json", *words)
    return done.code, json.loads(done.out)["differences"]


def test_verify(scene):
    """It sees what is missing, changed and not registered; and nothing right after an upload."""
    fill(scene)
    assert scene.upload_command(*PARTS).code == 0
    assert verified(scene) == (0, [])
    assert verified(scene, "--checksum") == (0, [])
    scene.place.remove("sub/1.txt")
    scene.place.put("sub/2.txt", b"shorter")
    same_size = b"x" * 103
    scene.place.put("sub/3.txt", same_size)
    forget(scene, "sub/4.txt")
    code, differences = verified(scene, "--checksum")
    assert code == 1
    assert {(each["key"], each["where"]) for each in differences} == {
        ("sub/1.txt", "target"),
        ("sub/2.txt", "target"),
        ("sub/3.txt", "target"),
        ("sub/4.txt", "catalogue"),
    }
    told = {each["key"]: each["what"] for each in differences}
    assert "missing" in told["sub/1.txt"]
    assert "7 bytes, not 102" in told["sub/2.txt"]
    assert "content" in told["sub/3.txt"]
    assert "not registered" in told["sub/4.txt"]


def forget(scene, name):
    """Delete a row as somebody would who knows the tables."""
    statement = "DELETE FROM handrail_data_file WHERE name = "
    if hasattr(scene.catalogue, "connect"):
        with scene.catalogue.connect() as database:
            assert database.execute(f"{statement} %s", [name]).rowcount == 1
        return
    import sqlite3

    database = sqlite3.connect(scene.catalogue.path)
    assert database.execute(f"{statement} ?", [name]).rowcount == 1
    database.commit()
    database.close()


@pytest.mark.parametrize("scene", ["radosgw-sqlite"], indirect=True)
def test_verify_without_a_checksum_sees_new_etags(scene):
    """An object that was written anew with the same size shows by its ETag."""
    scene.fill(3)
    assert scene.upload_command().code == 0
    scene.place.put("0001.txt", b"photo X")
    assert verified(scene) == (
        *(1, [{"key": "0001.txt", "where": "target", "what": "it was written anew since"}]),
    )


def test_registered_by_another_run_in_between(scene):
    """A catalogue that somebody emptied gets all rows again, and nothing is sent."""
    fill(scene)
    assert scene.upload(part_size=5 << 20).code == 0
    stamps = scene.place.stamps()
    forget(scene, "sub/4.txt")
    done = scene.upload(part_size=5 << 20)
    assert done.code == 0
    assert done.result["bytes"] == 0
    assert scene.place.stamps() == stamps
    assert len(rows(scene)["handrail_data_file"]) == 10
