"""Exception handlers of the app: every exception becomes an error of the one shape."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from coachworks.errors import PhotoError
from serving.errors import Code, RefusalError, nothing_under, refusal_for_photo


def add_error_handlers(app: FastAPI) -> None:
    """Register the handlers; they also store the error's code in the request's state, for the access log."""

    @app.exception_handler(RefusalError)
    async def refused(request: Request, err: RefusalError) -> JSONResponse:
        request.state.error = str(err.code)
        return JSONResponse(err.document().model_dump(), status_code=err.status, headers=err.headers)

    @app.exception_handler(PhotoError)
    async def unusable_photo(request: Request, err: PhotoError) -> JSONResponse:
        return await refused(request, refusal_for_photo(err))

    @app.exception_handler(RequestValidationError)
    async def invalid_parameter(request: Request, err: RequestValidationError) -> JSONResponse:
        first = err.errors()[0]
        name, value = first["loc"][-1], str(first.get("input"))[:80]
        return await refused(request, RefusalError(Code.INVALID_PARAMETER, f"{name}: {first['msg']}; got {value!r}"))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, err: HTTPException) -> JSONResponse:
        if err.status_code == 405:
            refusal = RefusalError(
                Code.METHOD_NOT_ALLOWED, f"{request.url.path} does not take {request.method}", headers=err.headers
            )
        else:
            refusal = nothing_under(request.url.path)
        return await refused(request, refusal)
