"""The JSON API: FastAPI over `Service`, described by /api/openapi.json."""

import logging
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

import jobshift
from jobshift.errors import JobshiftError
from jobshift.service.batching import Overloaded
from jobshift.service.limits import CHARACTERS, EXPLAINED, TEXTS, refusal
from jobshift.service.sentences import split_sentences
from jobshift.service.service import Service

ADVERTISEMENT = 50_000  # characters
SPECIFICATION = "/api/openapi.json"
HELP = f"{SPECIFICATION} describes what to send"

Text = Annotated[str, Field(min_length=1, max_length=CHARACTERS)]


class Asked(BaseModel):
    """What a client sends; a key that is not known is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Texts(Asked):
    """Texts to be rated."""

    texts: Annotated[list[Text], Field(min_length=1, max_length=TEXTS)]


class FewTexts(Asked):
    """Texts to be explained."""

    texts: Annotated[list[Text], Field(min_length=1, max_length=EXPLAINED)]


class Advertisement(Asked):
    """A job advertisement, or any text of several sentences."""

    text: Annotated[str, Field(min_length=1, max_length=ADVERTISEMENT)]


class Resembles(BaseModel):
    """An occupation that a text resembles."""

    code: str | None = Field(description="O*NET-SOC code; null where the study does not have it")
    title: str
    similarity: float = Field(description="cosine to its nearest training task")


class Rating(BaseModel):
    """A rated text; all but `text` and `problem` are null where it could not be rated."""

    text: str
    predicted: str | None = Field(description="the likeliest class")
    probabilities: dict[str, float] | None = Field(description="calibrated, of each class")
    alpha: float | None = Field(description="P(E1); null where classes have no exposure")
    beta: float | None = Field(description="P(E1) + ½ P(E2)")
    zeta: float | None = Field(description="P(E1) + P(E2)")
    automation: float | None = Field(description="mean on a scale from 0 (T0) to 1 (T4)")
    automation_probabilities: dict[str, float] | None
    confidence: float | None = Field(description="probability of the predicted class")
    distance: float | None = Field(description="1 − mean cosine to the nearest training texts")
    out_of_domain: bool | None = Field(description="unlike the training texts; means little")
    note: str | None
    resembles: Resembles | None
    problem: str | None = Field(description="why it could not be rated")


class Ratings(BaseModel):
    """Ratings in the order of the texts."""

    model: str
    ratings: list[Rating]


class Word(BaseModel):
    """A word and what it adds to the exposure."""

    word: str
    value: float


class Nearest(BaseModel):
    """A training text near to the one explained."""

    cosine: float
    label: str | None
    occupation: str | None
    text: str


class Explanation(BaseModel):
    """An explained text: integrated gradients of β from an empty text, and the nearest training texts."""

    text: str
    value: float | None
    baseline: float | None
    completeness_gap: float | None
    words: list[Word] | None
    nearest: list[Nearest] | None
    problem: str | None


class Explanations(BaseModel):
    """Explanations in the order of the texts."""

    model: str
    explanations: list[Explanation]


class Found(BaseModel):
    """An occupation in a list."""

    code: str
    title: str


class FoundList(BaseModel):
    """The occupations found, best first."""

    occupations: list[Found]


class Task(BaseModel):
    """A task of an occupation with the study's labels."""

    id: str
    text: str
    label: str | None
    automation: str | None


class Occupation(BaseModel):
    """An occupation; shares are of its tasks, wage and employment of the OEWS occupation matched to it."""

    code: str
    title: str
    soc: str
    alpha: float
    beta: float
    zeta: float
    substituted_share: float
    complemented_share: float
    untouched_share: float
    exposure_rank: float = Field(description="share of occupations with a lower β")
    oews_title: str | None
    shared_with: int = Field(description="other O*NET occupations with the same OEWS figures")
    employment_workers: int | None
    annual_wage_usd: int | None
    wage_at_least: bool = Field(description="the wage is top-coded: at least this")
    wage_basis: str | None
    tasks: list[Task]


class Health(BaseModel):
    """That the service is up, and how much waits."""

    model: str
    version: str
    waiting: int = Field(description="texts")


class Refusal(BaseModel):
    """Why a request was refused, and what to do."""

    error: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the description says of the statuses of refusals."""
    meaning = {
        400: "No JSON",
        404: "Not found",
        413: "Too large",
        421: "Another host name",
        422: "Not as described here",
        429: "Too many requests; Retry-After says when to try again",
        501: "What this needs is not installed",
        503: "Overloaded; Retry-After says when to try again",
    }
    return {status: {"model": Refusal, "description": meaning[status]} for status in statuses}


def create(service: Service) -> FastAPI:
    """The application, without the pages."""

    # FastAPI's own pages of documentation load scripts from elsewhere.
    app = FastAPI(
        title="jobshift",
        version=jobshift.__version__,
        description="Rates how far language models reach into tasks.",
        openapi_url=SPECIFICATION,
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(routes(service))
    app.add_middleware(GZipMiddleware, minimum_size=20_000)
    app.add_exception_handler(RequestValidationError, not_valid)
    app.add_exception_handler(HTTPException, http_refusal)
    app.add_exception_handler(Overloaded, overloaded)
    app.add_exception_handler(JobshiftError, not_possible)
    app.add_exception_handler(Exception, failed)
    return app


def routes(service: Service) -> APIRouter:
    """The paths of the API."""
    router = APIRouter(prefix="/api", responses=refusals(421))
    work = refusals(400, 413, 422, 429, 503)

    @router.post("/rate", responses=work)
    async def rate(asked: Texts) -> Ratings:
        """Rate texts."""
        return answer(service, ratings=await service.rate(asked.texts))

    @router.post("/advertisement", responses=work)
    async def advertisement(asked: Advertisement) -> Ratings:
        """Split a text into sentences, without bullets and headings, and rate each."""
        sentences = [each[:CHARACTERS] for each in split_sentences(asked.text)]
        return answer(service, ratings=await service.rate(sentences))

    @router.post("/explain", responses=work | refusals(501))
    async def explain(asked: FewTexts) -> Explanations:
        """Say which words move the exposure of texts, and which training texts are near."""
        return answer(service, explanations=await service.explain(asked.texts))

    @router.get("/occupations", responses=refusals(422))
    async def occupations(
        search: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 20,
    ) -> FoundList:
        """Find occupations by words of their title or by their code; without words, the first ones."""
        known = service.occupations
        return JSONResponse({"occupations": known.search(search, limit) if known else []})

    @router.get("/occupations/{code}", responses=refusals(404, 422))
    async def occupation(code: Annotated[str, Path(max_length=20)]) -> Occupation:
        """One occupation with its tasks."""
        if service.occupations is None:
            raise HTTPException(404, "this study rates no occupations")
        try:
            return JSONResponse(service.occupations.occupation(code))
        except JobshiftError as error:
            raise HTTPException(404, str(error)) from error

    @router.get("/health")
    async def health() -> Health:
        """Say that the service is up."""
        return Health(model=service.model, version=jobshift.__version__, waiting=service.waiting())

    return router


def answer(service: Service, **found: list[dict]) -> JSONResponse:
    """An answer as it is: pydantic would read each of our own numbers once more."""
    return JSONResponse({"model": service.model, **found})


# Refusals


async def not_valid(_: Request, error: RequestValidationError) -> JSONResponse:
    """Say the first thing that is wrong; what was sent is not repeated."""
    first = error.errors()[0]
    if first["loc"] == ("body",):
        return refusal(422, f"send a JSON object with Content-Type: application/json; {HELP}")
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    status = 400 if first["type"] == "json_invalid" else 422
    named = f"{place}: " if place and status == 422 else ""
    return refusal(status, f"{named}{first['msg']}; {HELP}")


async def http_refusal(_: Request, error: HTTPException) -> JSONResponse:
    """What is not found, not allowed, too large, or no JSON."""
    said = {
        404: f"there is nothing here; {SPECIFICATION} lists what there is",
        405: f"this method is not allowed here; {SPECIFICATION} lists those that are",
    }
    own = error.detail in ("Not Found", "Method Not Allowed")
    found = refusal(error.status_code, said[error.status_code] if own else str(error.detail))
    found.headers.update(error.headers or {})
    return found


async def overloaded(_: Request, error: Overloaded) -> JSONResponse:
    """Too much waits."""
    return refusal(503, str(error), error.retry_after)


async def not_possible(_: Request, error: JobshiftError) -> JSONResponse:
    """Something that this service cannot do, such as explain without captum."""
    return refusal(501, str(error))


async def failed(request: Request, error: Exception) -> JSONResponse:
    """A fault of ours: one line for who runs the service, none of its details for the client."""
    logging.error("%s: %s: %s", request.url.path, type(error).__name__, error)
    return refusal(
        500, "the service failed on this request; whoever runs it finds the reason there"
    )
