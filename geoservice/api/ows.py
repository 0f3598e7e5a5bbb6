"""Requests and errors as services of OWS Common have them: key-value pairs, and reports in XML."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request
from starlette.responses import Response

from geoservice.problems import problem_of
from layers.errors import (
    GeoserviceError,
    InvalidParameter,
    MissingParameter,
    NumberOutsideMatrix,
    UnknownGrid,
    UnknownLayer,
    UnknownRaster,
    UnsupportedOperation,
)
from tiles.wmts import exception_report

XML = "application/xml"

_LOCATORS: Mapping[type[GeoserviceError], str] = {
    UnknownGrid: "TileMatrixSet",
    UnknownLayer: "Layer",
    UnknownRaster: "Layer",
}
_VERSIONS = "AcceptVersions"
_STATUSES: Mapping[str, int] = {"OperationNotSupported": 501}


class KeyValues:
    """The parameters of a key-value request, whose names are known in any case.

    Parameters that nobody asks for are left alone: clients of these services add their own.

    Raises:
        InvalidParameter: one is given twice.
    """

    def __init__(self, request: Request) -> None:
        self._values: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            key = name.lower()
            if key in self._values:
                raise InvalidParameter(name, value, "is given more than once")
            self._values[key] = value

    def get(self, name: str, default: str) -> str:
        """The value of a parameter; where it is missing or empty, the default."""
        return self._values.get(name.lower()) or default

    def needed(self, name: str) -> str:
        """The value of a parameter.

        Raises:
            MissingParameter: it is missing or empty.
        """
        value = self.get(name, "")
        if not value:
            raise MissingParameter(name)
        return value


async def reporting(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """An answer, or the report of what the service refused on purpose."""
    try:
        return await answer(request)
    except GeoserviceError as error:
        return _report(error)


def _report(error: GeoserviceError) -> Response:
    problem = problem_of(error)
    code, locator = _code(error)
    status = _STATUSES.get(code, problem.status if locator is None else 400)
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="geoservice"'
    if status == 503:
        headers["Retry-After"] = "2"
    text = problem.title.en if problem.status >= 500 else str(error)
    return Response(exception_report(code, text, locator), status, headers, XML)


def _code(error: GeoserviceError) -> tuple[str, str | None]:
    """The code and the locator of an error (OWS Common 1.1, table 27; WMTS 1.0.0, table 24)."""
    if isinstance(error, MissingParameter):
        return "MissingParameterValue", error.name
    if isinstance(error, UnsupportedOperation):
        return "OperationNotSupported", error.name
    if isinstance(error, NumberOutsideMatrix):
        return "TileOutOfRange", error.name
    if isinstance(error, InvalidParameter):
        is_version = error.name == _VERSIONS
        return "VersionNegotiationFailed" if is_version else "InvalidParameterValue", error.name
    for kind, locator in _LOCATORS.items():
        if isinstance(error, kind):
            return "InvalidParameterValue", locator
    return "NoApplicableCode", None
