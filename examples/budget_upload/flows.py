"""An upload with a step of its own: it refuses to keep more than a budget allows.

handrail run examples/budget_upload/flows.py:BudgetUpload SOURCE TARGET --budget 10MB
"""

from __future__ import annotations

from typing import Any

from pydantic import ByteSize, Field

from handrail import StepRegistry, step
from handrail_upload import DefaultUploadAction, UploadContext, UploadParams


class BudgetParams(UploadParams):
    """What the upload takes, and the budget."""

    budget: ByteSize = Field(ByteSize(10_000_000), description="Bytes that may be stored at most")


@step(weight=0.05, effects=False)
def check_budget(context: UploadContext[BudgetParams]) -> dict[str, Any]:
    """Refuse when what was uploaded is more than the budget allows."""
    budget = context.options.budget
    stored = sum(file["size"] for file in context.uploaded_files)
    if stored > budget:
        raise ValueError(f"{stored:,} bytes were uploaded, and the budget is {budget:,}")
    return {"summary": f"{budget - stored:,} bytes of the budget are left"}


class BudgetUpload(DefaultUploadAction):
    """Upload a folder, but no more than the budget allows."""

    params_model = BudgetParams

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        super().setup_steps(registry)
        registry.insert_after("upload_files", check_budget)
