"""The command line, and for commands of packs the flags, packs and output that a call shares.

Every public name is imported from here on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.builtin.cli.commands.doctor import unread_groups as unread_groups
    from handrail.builtin.cli.commands.resume import ResumeRequest as ResumeRequest
    from handrail.builtin.cli.commands.rollback import RollbackRequest as RollbackRequest
    from handrail.builtin.cli.commands.rollback import says_yes as says_yes
    from handrail.builtin.cli.commands.runs import runs_to_dict as runs_to_dict
    from handrail.builtin.cli.commands.show import Report as Report
    from handrail.builtin.cli.commands.show import ShowRequest as ShowRequest
    from handrail.builtin.cli.commands.show import report_of as report_of
    from handrail.builtin.cli.commands.stop import stop_of as stop_of
    from handrail.builtin.cli.completion import RunType as RunType
    from handrail.builtin.cli.journals import journal_option as journal_option
    from handrail.builtin.cli.journals import journal_place as journal_place
    from handrail.builtin.cli.journals import number_in as number_in
    from handrail.builtin.cli.journals import run_numbers as run_numbers
    from handrail.builtin.cli.journals import session_journal as session_journal
    from handrail.builtin.cli.main import main as main
    from handrail.builtin.cli.main import run_workflow as run_workflow
    from handrail.builtin.cli.new_run import Derivation as Derivation
    from handrail.builtin.cli.new_run import RunRequest as RunRequest
    from handrail.builtin.cli.options import Option as Option
    from handrail.builtin.cli.options import Request as Request
    from handrail.builtin.cli.session import Session as Session
    from handrail.builtin.cli.session import echo as echo
    from handrail.builtin.cli.session import echo_json as echo_json
    from handrail.builtin.cli.session import session_of as session_of
    from handrail.builtin.cli.session import takes_json as takes_json
    from handrail.builtin.cli.view.failure import problem_lines as problem_lines
    from handrail.builtin.cli.view.plan_boxes import Box as Box
    from handrail.builtin.cli.view.plan_boxes import BoxFrame as BoxFrame
    from handrail.builtin.cli.view.plan_boxes import StepBox as StepBox
    from handrail.builtin.cli.view.plan_boxes import StepsBox as StepsBox
    from handrail.builtin.cli.view.plan_boxes import boxes_of as boxes_of
    from handrail.builtin.cli.view.run_report import RunReport as RunReport
    from handrail.builtin.cli.view.run_text import STYLES as STYLES
    from handrail.builtin.cli.view.run_text import run_to_dict as run_to_dict
    from handrail.builtin.cli.view.table import Column as Column
    from handrail.builtin.cli.view.table import Listing as Listing
    from handrail.builtin.cli.view.table import Style as Style
    from handrail.builtin.cli.view.table import write_document as write_document
    from handrail.builtin.cli.view.text import columns as columns
    from handrail.builtin.cli.view.text import command_line as command_line
    from handrail.builtin.cli.view.text import facts as facts
    from handrail.builtin.cli.view.text import listed as listed
    from handrail.builtin.cli.view.text import one_line as one_line
    from handrail.builtin.cli.view.text import terminal_width as terminal_width
