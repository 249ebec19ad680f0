"""Executors, which work on the items of steps: the protocol, and what a worker needs.

Public names are imported on first use, so importing this package costs nothing.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.executors.code import prepare as prepare
    from handrail.executors.code import project_files as project_files
    from handrail.executors.code import source_folder as source_folder
    from handrail.executors.environment import distributions as distributions
    from handrail.executors.environment import environment_digest as environment_digest
    from handrail.executors.item_context import ItemContext as ItemContext
    from handrail.executors.masking import masked as masked
    from handrail.executors.opening import default_url as default_url
    from handrail.executors.opening import kind_of as kind_of
    from handrail.executors.protocol import AttemptId as AttemptId
    from handrail.executors.protocol import Cancelled as Cancelled
    from handrail.executors.protocol import ChunkCall as ChunkCall
    from handrail.executors.protocol import CodeRef as CodeRef
    from handrail.executors.protocol import Death as Death
    from handrail.executors.protocol import Done as Done
    from handrail.executors.protocol import Executor as Executor
    from handrail.executors.protocol import ExecutorFactory as ExecutorFactory
    from handrail.executors.protocol import Failed as Failed
    from handrail.executors.protocol import Full as Full
    from handrail.executors.protocol import Guarantees as Guarantees
    from handrail.executors.protocol import Host as Host
    from handrail.executors.protocol import ItemError as ItemError
    from handrail.executors.protocol import ItemLine as ItemLine
    from handrail.executors.protocol import Lost as Lost
    from handrail.executors.protocol import Note as Note
    from handrail.executors.protocol import Outcome as Outcome
    from handrail.executors.worker import work as work
