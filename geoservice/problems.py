"""Errors as HTTP answers: ``application/problem+json`` (RFC 9457). The only such place.

Each kind of error has one status, one title in both languages and one page of the reference as its
``type``. What went wrong inside stays in the log; nothing of the database leaves the service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from layers import errors
from layers.base import Title

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "https://geoservice.invalid/problems/"
"""Problem types are names, not places: RFC 9457 lets them be unresolvable; docs list them."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Problem:
    """What one kind of error is over HTTP."""

    name: str
    status: int
    title: Title


_BAD_REQUEST = Problem("bad-request", 400, Title("The request cannot be used", "请求无效"))
_INTERNAL = Problem("internal", 500, Title("The service failed", "服务内部错误"))
_UNAVAILABLE = Problem("unavailable", 503, Title("The service is busy or down", "服务暂不可用"))
_TIMED_OUT = Problem("timed-out", 504, Title("The answer took too long", "查询超时"))

PROBLEMS: dict[type[Exception], Problem] = {
    errors.InvalidParameter: Problem(
        "invalid-parameter", 400, Title("A parameter cannot be used", "参数无效")
    ),
    errors.UnknownParameter: Problem(
        "unknown-parameter", 400, Title("A parameter is not known here", "未知参数")
    ),
    errors.InvalidBody: Problem(
        "invalid-body", 400, Title("The body cannot be used", "请求体无效")
    ),
    errors.InvalidTransaction: Problem(
        "invalid-transaction", 422, Title("The parcels cannot be changed so", "宗地变更无效")
    ),
    errors.UnsupportedMediaType: Problem(
        "unsupported-media-type", 415, Title("The body is of another kind", "不支持的媒体类型")
    ),
    errors.RateExceeded: Problem("rate-exceeded", 429, Title("Too much at once", "请求过于频繁")),
    errors.BodyTooLarge: Problem(
        "body-too-large", 413, Title("The body is too large", "请求体过大")
    ),
    errors.UploadTimedOut: Problem(
        "upload-timed-out", 408, Title("The body came too slowly", "上传超时")
    ),
    errors.RequestError: _BAD_REQUEST,
    errors.NotFoundError: Problem("not-found", 404, Title("There is nothing here", "未找到")),
    errors.NotAuthenticated: Problem(
        "not-authenticated", 401, Title("A valid key is needed", "需要有效密钥")
    ),
    errors.NotPermitted: Problem(
        "not-permitted", 403, Title("The key does not allow it", "无权限")
    ),
    errors.WrongJobState: Problem(
        "wrong-state", 409, Title("This cannot be asked for now", "当前状态不允许此操作")
    ),
    errors.ParcelChanged: Problem(
        "parcel-changed", 409, Title("The parcel was changed meanwhile", "宗地已被他人变更")
    ),
    errors.ConflictError: Problem(
        "conflict", 409, Title("Something else is under way", "操作冲突")
    ),
    errors.SourceError: Problem("bad-source", 422, Title("The data cannot be used", "数据无效")),
    errors.DatabaseUnavailable: _UNAVAILABLE,
    errors.NotYetSettled: _UNAVAILABLE,
    errors.ServiceBusy: _UNAVAILABLE,
    errors.FontMissing: Problem(
        "font-missing", 501, Title("The service has no Chinese font", "服务器缺少中文字体")
    ),
    errors.QueryTimedOut: _TIMED_OUT,
    errors.StorageFull: Problem(
        "storage-full", 507, Title("There is no room for uploads", "存储空间不足")
    ),
    errors.ServiceError: _INTERNAL,
}
"""By class; the nearest class of the error's ancestry counts."""


_CHANGING = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.FeatureNotSupported,
)
"""What a statement meets in the second in which a theme has changed and a worker does not know."""


def problem_of(error: Exception) -> Problem:
    """The problem of an error, by its nearest listed ancestor."""
    for ancestor in type(error).__mro__:
        if ancestor in PROBLEMS:
            return PROBLEMS[ancestor]
    return _INTERNAL


def problem_response(problem: Problem, detail: str, request: Request, **members: Any) -> Response:
    """The answer to one problem."""
    request_id = request.scope.get("geoservice.request_id", "unknown")
    body = {
        "type": TYPE_BASE + problem.name,
        "title": problem.title.en,
        "title_zh": problem.title.zh,
        "status": problem.status,
        "detail": detail,
        "instance": f"urn:request:{request_id}",
        **members,
    }
    headers = {"Cache-Control": "no-store"}
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="geoservice"'
    if problem.status == 503:
        headers["Retry-After"] = "2"
    return Response(orjson.dumps(body), problem.status, headers, MEDIA_TYPE)


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of an app as a problem."""
    app.add_exception_handler(errors.GeoserviceError, _own_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(psycopg.Error, _database_error)
    app.add_exception_handler(PoolTimeout, _pool_timeout)
    app.add_exception_handler(Exception, _unexpected)


def _own_error(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.status >= 500:
        log.error("request failed", error=str(error), exc_info=error)
        return problem_response(problem, problem.title.en, request)
    members: dict[str, Any] = {}
    if isinstance(error, errors.InvalidParameter):
        members["errors"] = [{"parameter": error.name, "reason": error.reason}]
    if isinstance(error, errors.UnknownParameter):
        members["errors"] = [{"parameter": error.name, "reason": "not known here"}]
    if isinstance(error, errors.InvalidBody):
        members["errors"] = [{"pointer": error.pointer, "reason": error.reason}]
    if isinstance(error, errors.InvalidTransaction):
        place = {"place": error.place} if error.place else {}
        members["errors"] = [{"pointer": error.pointer, "reason": error.reason, **place}]
    answer = problem_response(problem, str(error), request, **members)
    if isinstance(error, errors.RateExceeded):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _invalid_request(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    described = []
    for one in found:
        where, *path = one["loc"]
        if where == "body":
            described.append({"pointer": "".join(f"/{p}" for p in path), "reason": one["msg"]})
        else:
            described.append({"parameter": ".".join(map(str, path)), "reason": one["msg"]})
    in_body = any("pointer" in one for one in described)
    problem = PROBLEMS[errors.InvalidBody if in_body else errors.InvalidParameter]
    detail = "; ".join(f"{d.get('parameter', d.get('pointer'))}: {d['reason']}" for d in described)
    return problem_response(problem, detail, request, errors=described)


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    title = {
        404: Title("There is nothing here", "未找到"),
        405: Title("The method is not allowed here", "方法不被允许"),
    }.get(status, Title("The request failed", "请求失败"))
    name = {404: "not-found", 405: "method-not-allowed"}.get(status, "http-error")
    response = problem_response(Problem(name, status, title), title.en, request)
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
        if response.headers.get("Allow") == "GET":  # the router does not know of HeadAnswers
            response.headers["Allow"] = "GET, HEAD"
    return response


def _database_error(request: Request, error: Exception) -> Response:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.errors.QueryCanceled):
        log.warning("statement timed out", exc_info=error)
        return problem_response(_TIMED_OUT, "ask for less at once", request)
    if isinstance(cause, psycopg.errors.DataError):
        log.info("value out of range", error=type(cause).__name__)
        return problem_response(_BAD_REQUEST, "a value is out of range", request)
    if isinstance(cause, _CHANGING):
        log.warning("a layer changed under a request", exc_info=error)
        return problem_response(_UNAVAILABLE, "try again in a moment", request)
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        log.error("database does not answer", exc_info=error)
        return problem_response(_UNAVAILABLE, "try again in a moment", request)
    return _unexpected(request, error)


def _pool_timeout(request: Request, error: Exception) -> Response:
    log.warning("no connection became free", exc_info=error)
    return problem_response(_UNAVAILABLE, "try again in a moment", request)


def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return problem_response(_INTERNAL, "the failure has been logged", request)
