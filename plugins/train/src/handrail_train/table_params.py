"""TableParams: the params that say where a table is, of trainings and of predictions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, model_validator

from handrail_storage import one_line
from handrail_train.data.source import Source
from handrail_train.errors import DataError

_PASSWORD = re.compile(r"[^/]+://[^/]*:.*@")
_TOKEN = re.compile(r".*@", re.DOTALL)  # It stands in the place of a name.


class TableParams(BaseModel):
    """Base of params with a table; it checks where that is.

    Attributes:
        data: Its address.
        table: The table of a database.
        query: The query of a database.
    """

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, allow_inf_nan=False, defer_build=True
    )

    _places: ClassVar[Mapping[str, tuple[re.Pattern[str], str]]] = {
        "data": (_PASSWORD, "PGPASSWORD"),
        "store": (_PASSWORD, "AWS_SECRET_ACCESS_KEY"),
        "out": (_PASSWORD, "AWS_SECRET_ACCESS_KEY"),
        "mlflow": (_TOKEN, "MLFLOW_TRACKING_PASSWORD"),
    }

    if TYPE_CHECKING:  # The fields are those of the params that derive, which say where they stand.
        data: str
        table: str | None
        query: str | None

    @model_validator(mode="before")
    @classmethod
    def _no_secret(cls, values: Any) -> Any:
        """Check addresses for secrets here, because errors of a field show its value."""
        given: Any = values
        if isinstance(values, Mapping):
            for name, (secret, variable) in cls._places.items():
                if secret.match(str(cast("Mapping[str, Any]", values).get(name, ""))):
                    raise ValueError(
                        f"there is a secret in the {name}, which is shown and recorded; "
                        f"give credentials in variables, such as {variable}"
                    )
        return given

    @model_validator(mode="after")
    def _known_source(self) -> TableParams:
        try:
            self.source()
        except DataError as error:
            raise ValueError(one_line(error)) from error
        return self

    def source(self) -> Source:
        """Return where the table is.

        Raises:
            DataError: The address is malformed.
        """
        return Source.parse(self.data, self.table, self.query)
