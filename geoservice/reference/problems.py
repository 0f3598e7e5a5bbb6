"""The page of the problems: what each kind of error over HTTP is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from geoservice.problems import PROBLEMS, TYPE_BASE, Problem, problem_of
from geoservice.reference.markdown import first_line, page
from layers.errors import GeoserviceError

_ADVICE = {
    "bad-request": "Correct the request: a value is of no use, such as one that is out of range.",
    "invalid-parameter": "Correct the parameters that `errors` names, each with its reason.",
    "unknown-parameter": "Leave the parameter out; `detail` lists those that the resource takes.",
    "invalid-body": "Correct the member at `errors[0].pointer` (RFC 6901). Nothing was written.",
    "invalid-transaction": "Correct the member at `errors[0].pointer`; `place`, where there is "
    "one, is where on the map (longitude, latitude). Nothing was written.",
    "unsupported-media-type": "Send one of the kinds that `detail` names.",
    "rate-exceeded": "Wait for the seconds that `Retry-After` names. Nothing was written; the "
    "bounds are `GEOSERVICE_OBSERVATIONS__PER_SECOND` and `GEOSERVICE_OBSERVATIONS__BURST`.",
    "body-too-large": "Send less at once; the bound is `GEOSERVICE_HTTP__MAX_BODY_BYTES`, for "
    "uploads `GEOSERVICE_LOAD__MAX_UPLOAD_BYTES`.",
    "upload-timed-out": "Send the files again, over a better line or in smaller parts.",
    "font-missing": "Ask for the SVG, or for `lang=en`. The operator installs a font with Chinese "
    "glyphs, such as `fonts-wqy-microhei` or `fonts-noto-cjk`, and fontconfig.",
    "storage-full": "Tell the operator; the bounds are `GEOSERVICE_LOAD__UPLOAD_QUOTA_BYTES` and "
    "the room on the disk. Nothing was kept.",
    "not-found": "Look at the address. What a caller may not know of is answered in the same way, "
    "so a key of a higher clearance may find it.",
    "not-authenticated": "Send a key that is in force, as `Authorization: Bearer KEY`, or none at "
    "all to read as the public: a wrong key is refused, not ignored.",
    "not-permitted": "Use a key that allows the action and scope that `detail` names.",
    "parcel-changed": "Look at the parcel again, and send what fits it as it is now.",
    "conflict": "Try again when what is under way has ended.",
    "wrong-state": "Look at the load again; its `can` lists what may be asked of it.",
    "bad-source": "Correct the data; `detail` says what is wrong with them.",
    "unavailable": "Try again after the seconds in `Retry-After`.",
    "timed-out": "Ask for less at once: a smaller box, fewer features, a higher zoom.",
    "internal": "Tell the operator the `instance`: the log has the failure under that request id.",
    "method-not-allowed": "Use one of the methods in `Allow`.",
    "http-error": "The status says what is wrong.",
}

_OF_THE_FRAMEWORK = {"method-not-allowed": "405", "http-error": "any other"}
"""Problems that no error of our own becomes, and their statuses."""


def problems_page() -> str:
    """Every problem type: its status, its titles, what it comes of and what to do about it."""
    intro = (
        "Every error is answered as `application/problem+json` (RFC 9457) with `type`, `title`, "
        "`title_zh`, `status`, `detail` and `instance`, often with `errors`.\n"
        f"A `type` is `{TYPE_BASE}` and one of the names below: a name, not an address to open.\n"
        "`instance` is `urn:request:` and the request's id, which is also in the header "
        "`X-Request-Id` and in the log."
    )
    known = {problem.name: problem for problem in PROBLEMS.values()}
    parts = [intro, *(_problem(problem) for problem in known.values())]
    parts += [
        f"## {name}\n\nStatus {status}.\n{_ADVICE[name]}"
        for name, status in _OF_THE_FRAMEWORK.items()
    ]
    return page("Problems", parts)


def _problem(problem: Problem) -> str:
    causes = [error for error in _errors(GeoserviceError) if _is_told_as(error, problem)]
    listed = "\n".join(f"- `{error.__name__}`: {first_line(error)}" for error in causes)
    title = f"{problem.title.en} {problem.title.zh}"
    said = f"Status {problem.status}: {title}.\n{_ADVICE[problem.name]}"
    return f"## {problem.name}\n\n{said}" + (f"\n\n{listed}" if listed else "")


def _errors(family: type[GeoserviceError]) -> Iterator[type[GeoserviceError]]:
    for error in family.__subclasses__():
        if error.__module__ == GeoserviceError.__module__:
            yield error
            yield from _errors(error)


def _is_told_as(error: type[GeoserviceError], problem: Problem) -> bool:
    """Whether an error becomes a problem; families of errors that are raised as such only."""
    return not error.__subclasses__() and problem_of(error.__new__(error)) == problem
