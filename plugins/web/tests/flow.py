"""A workflow that makes files, waits until it may go on, and takes back what it made."""

from __future__ import annotations

FLOW = '''
import time
from pathlib import Path
from handrail import action, step

@step
def make(context):
    for number in range(3):
        context.record_rollback("files", f"made-{number}")
        Path(f"made-{number}").touch()

@make.rollback
def unmake(context, result):
    for name in result.rollback_data.get("files", []):
        Path(name).unlink(missing_ok=True)

@step
def check(context):
    if not Path("good").exists():
        raise ValueError("it is not good")

@step
def wait(context):
    Path("waiting").touch()
    while not Path("go").exists():
        time.sleep(0.01)

@wait.rollback
def unwait(context, result):
    Path("undoing").touch()
    while not Path("undo").exists():
        time.sleep(0.01)

job = action("job", [make, check])
slow = action("slow", [make, wait])
'''
