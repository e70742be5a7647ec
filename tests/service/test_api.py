"""The API, in this process: what it answers, what it refuses, and what its own description promises."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
import schemathesis.openapi
import tiny_service
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from starlette.testclient import TestClient

from jobshift.errors import JobshiftError
from jobshift.rating.engines import open_engine
from jobshift.rating.exported import read_export
from jobshift.service import limits
from jobshift.service.api import SPECIFICATION, create
from jobshift.service.batching import Overloaded
from jobshift.service.limits import Guard
from jobshift.service.occupations import read_occupations
from jobshift.service.service import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tiny_service.write(tmp_path_factory.mktemp("served") / "study"))
        exported = read_export(Path("exports/tiny/purged-0").absolute())
        service = Service(
            exported, open_engine(exported, "torch"), read_occupations("onet", "rubric")
        )
        # The first explanation loads libraries, which takes longer than a request may.
        asyncio.run(service.explain(["Mend nets"]))
        yield service
        service.close()


@pytest.fixture
def client(service: Service) -> TestClient:
    return TestClient(Guard(create(service), 0), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def described(service: Service):
    return schemathesis.openapi.from_asgi(SPECIFICATION, Guard(create(service), 0))


OPERATIONS = [
    *(("POST", "/api/rate"), ("POST", "/api/advertisement"), ("POST", "/api/explain")),
    *(("GET", "/api/occupations"), ("GET", "/api/occupations/{code}"), ("GET", "/api/health")),
]


def test_every_operation_is_fuzzed(described):
    found = [operation.ok() for operation in described.get_all_operations()]
    assert [(each.method.upper(), each.path) for each in found] == OPERATIONS


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_it_keeps_what_its_description_promises(described, method: str, path: str, mode):
    if mode is GenerationMode.NEGATIVE and path == "/api/health":
        return  # nothing can be wrong about it

    @given(case=described[path][method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def keeps(case):
        case.call_and_validate()

    keeps()


def test_an_advertisement(client: TestClient):
    text = "Your tasks:\n• Mend nets. Steer boats.\n• 修补渔网"
    answered = client.post("/api/advertisement", json={"text": text}).json()
    assert answered["model"] == "tiny"
    assert [each["text"] for each in answered["ratings"]] == [
        "Mend nets.",
        "Steer boats.",
        "修补渔网",
    ]
    same = client.post(
        "/api/rate", json={"texts": ["Mend nets.", "Steer boats.", "修补渔网"]}
    ).json()
    assert same == answered
    assert client.post("/api/advertisement", json={"text": "…"}).json()["ratings"] == []


def test_occupations(client: TestClient):
    found = client.get("/api/occupations", params={"search": "fern"}).json()
    assert found == {"occupations": [{"code": "22-2222.01", "title": "Fern Keepers"}]}
    found = client.get("/api/occupations/22-2222.01").json()
    assert found["tasks"][0]["text"] == "Water ferns."


JSON = {"headers": {"Content-Type": "application/json"}}


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "said"),
    [
        ("POST", "/api/rate", {"json": {"texts": []}}, 422, "texts: List should have at least 1 item"),
        ("POST", "/api/rate", {"json": {"texts": ["a"] * 257}}, 422, "at most 256 items"),
        ("POST", "/api/rate", {"json": {"texts": ["a" * 5001]}}, 422, "texts.0: String should have at most"),
        ("POST", "/api/rate", {"json": {"texts": [1]}}, 422, "texts.0: Input should be a valid string"),
        ("POST", "/api/rate", {"json": {"texts": ["a"], "b": 1}}, 422, "b: Extra inputs"),
        ("POST", "/api/rate", {"json": ["a"]}, 422, "send a JSON object"),
        ("POST", "/api/rate", {"content": b"texts=a"}, 422, "send a JSON object with Content-Type"),
        ("POST", "/api/rate", {"content": b"{", **JSON}, 400, "JSON"),
        ("POST", "/api/rate", {"content": b"[" * 90_000, **JSON}, 400, ""),
        ("POST", "/api/rate", {"content": b"\xff\x00", **JSON}, 400, ""),
        ("POST", "/api/explain", {"json": {"texts": ["a"] * 17}}, 422, "at most 16 items"),
        ("POST", "/api/rate", {"content": b" " * 1_000_001}, 413, "larger than 1,000,000 bytes"),
        ("POST", "/api/rate", {"content": iter([b" " * 600_000] * 2)}, 413, "larger than 1,000,000 bytes"),
        ("GET", "/api/occupations/1", {}, 404, "there is no occupation with this code"),
        ("GET", "/api/occupations?limit=0", {}, 422, "query.limit: Input should be greater"),
        ("GET", "/api/rate", {}, 405, "this method is not allowed here"),
        ("GET", "/nothing", {}, 404, "there is nothing here"),
    ],
)  # fmt: skip
def test_bad_requests_get_a_sentence(client: TestClient, method, path, options, status, said):
    answered = client.request(method, path, **options)
    assert answered.status_code == status
    assert list(answered.json()) == ["error"]
    assert said in answered.json()["error"]
    assert "\n" not in answered.json()["error"]


def test_half_of_a_surrogate_pair_is_refused(client: TestClient):
    body = b'{"texts": ["\\ud800 a"]}'
    answered = client.post("/api/rate", content=body, **JSON)
    assert answered.status_code == 422


def test_what_cannot_be_done_and_what_fails(
    service: Service, client: TestClient, monkeypatch, caplog
):
    def answer(error: Exception) -> tuple[int, str, str | None]:
        async def fail(texts):
            raise error

        monkeypatch.setattr(service, "explain", fail)
        found = client.post("/api/explain", json={"texts": ["a"]})
        return found.status_code, found.json()["error"], found.headers.get("Retry-After")

    assert answer(Overloaded(7, 3)) == (
        503,
        "7 texts are waiting already; try again in 3 seconds",
        "3",
    )
    assert answer(JobshiftError("it needs captum")) == (501, "it needs captum", None)
    status, said, _ = answer(ValueError("the secret"))
    assert status == 500 and "secret" not in said
    assert "/api/explain: ValueError: the secret" in caplog.text


def test_a_client_that_asks_too_often_waits(service: Service):
    client = TestClient(Guard(create(service), 3))
    statuses = [client.post("/api/rate", json={"texts": ["Mend nets"]}) for _ in range(4)]
    assert [each.status_code for each in statuses] == [200, 200, 200, 429]
    assert statuses[-1].headers["Retry-After"] == "20"
    assert "send several texts in one request" in statuses[-1].json()["error"]
    assert client.get("/api/health").status_code == 200  # reading is no work


def test_only_so_many_requests_at_once(service: Service, monkeypatch):
    monkeypatch.setattr(limits, "AT_ONCE", 0)
    answered = TestClient(Guard(create(service), 0)).post("/api/rate", json={"texts": ["a"]})
    assert (answered.status_code, answered.headers["Retry-After"]) == (503, "1")


def test_on_localhost_it_answers_to_its_own_name_alone(service: Service):
    client = TestClient(Guard(create(service), 0, ["localhost", "[::1]"]))
    for host, status in (
        *(("localhost:7860", 200), ("localhost", 200), ("[::1]:7860", 200)),
        *(("evil.example:7860", 421), ("localhost.evil.example", 421), ("", 421)),
    ):
        assert client.get("/api/health", headers={"Host": host}).status_code == status


def test_answers_tell_browsers_to_load_nothing_from_elsewhere(client: TestClient):
    headers = client.get("/api/health").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_many_at_once_get_what_they_would_get_alone(service: Service):
    texts = [f"Mend {number} nets" for number in range(60)]

    async def together():
        return await asyncio.gather(*(service.rate([text]) for text in texts))

    found = asyncio.run(together())
    client = TestClient(create(service))
    for text, (rating,) in zip(texts, found, strict=True):
        assert client.post("/api/rate", json={"texts": [text]}).json()["ratings"] == [rating]
