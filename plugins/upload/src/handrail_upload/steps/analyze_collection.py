"""analyze_collection: read the specification of the collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail import BaseStep, StepResult
from handrail_upload.context import UploadContext

if TYPE_CHECKING:
    from handrail_upload.specification import Specification


class AnalyzeCollectionStep(BaseStep[UploadContext]):
    """Read the roles of files, which of them are required, and their limits."""

    name = "analyze_collection"
    progress_weight = 0.05
    effects = False

    def execute(self, context: UploadContext) -> StepResult:
        options = context.options
        if options.specification is None:
            context.data_collection = None
            return StepResult(data={"summary": "every file is its own unit", "roles": []})
        from handrail_upload.specification import read_specification

        specification = read_specification(options.specification)
        _check_sources(specification, list(options.sources))
        context.data_collection = specification.to_dict()
        roles = [each.name for each in specification.roles]
        optional = [name for name in roles if name not in specification.required]
        note = f" ({', '.join(optional)} optional)" if optional else ""
        return StepResult(data={"summary": f"roles {', '.join(roles)}{note}", "roles": roles})


def _check_sources(specification: Specification, sources: list[str]) -> None:
    from handrail_upload.errors import SpecificationError

    known = {each.name for each in specification.roles}
    for role in sources:
        if role not in known:
            raise SpecificationError(
                f"there is a source for {role}, and no such role in the specification",
                ways_out=(f"roles: {', '.join(sorted(known))}",),
            )
