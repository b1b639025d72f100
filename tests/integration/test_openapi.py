"""deploy/openapi.json: it names the routes that there are, and what they answer is as it says."""
import json
import re
import shutil
import subprocess

import pytest

from cluster import TOP
from web import node_with_http, request

DOCUMENT = json.loads((TOP / "deploy" / "openapi.json").read_text())
KINDS = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


@pytest.fixture(scope="module")
def node():
    with node_with_http("openapi") as one:
        yield one


def resolve(part):
    while "$ref" in part:
        at = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            at = at[name]
        part = at
    return part


def faults(value, schema, where="$"):
    """What of the value is not as the schema says; of JSON Schema as much as the document uses."""
    schema = resolve(schema)
    for kind, most in (("oneOf", 1), ("anyOf", 9)):
        if kind in schema:
            fitting = [one for one in schema[kind] if not faults(value, one, where)]
            return [] if 1 <= len(fitting) <= most else [f"{where}: {len(fitting)} of {kind} fit"]
    if "type" not in schema or (value is None and schema.get("nullable")):
        return []
    kind = KINDS[schema["type"]]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return [f"{where}: {value!r} is no {schema['type']}"]
    found = [f"{where}: {value!r} is none of {schema['enum']}"] if value not in schema.get("enum", [value]) else []
    if kind is str and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{where}: {value!r} is not as {schema['pattern']}")
    if kind is list:
        for at, one in enumerate(value):
            found += faults(one, schema.get("items", {}), f"{where}[{at}]")
    if kind is dict:
        found += [f"{where}: '{name}' is missing" for name in schema.get("required", []) if name not in value]
        known = schema.get("properties", {})
        for name, one in value.items():
            if name in known:
                found += faults(one, known[name], f"{where}.{name}")
            elif known and where != "$.error":
                found.append(f"{where}: '{name}' is not in the document")
    return found


def test_the_document_names_the_routes_that_there_are():
    routes = (TOP / "src/http/routes.c").read_text()
    found = re.findall(r'\.method = "(\w+)",\s*\.path = "([^"]+)"(?:,\s*\.argument = "([^"]+)")?', routes)
    assert len(found) > 10
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert {(method, path + argument) for method, path, argument in found} == described


def test_all_references_lead_somewhere():
    for target in re.findall(r'"\$ref": "([^"]+)"', json.dumps(DOCUMENT)):
        resolve({"$ref": target})


def test_the_codes_of_errors_are_known_by_their_status():
    """Each status that the sources can answer stands at some operation."""
    statuses = set()
    for path in (TOP / "src/http").glob("*.c"):
        text = path.read_text()
        statuses |= set(re.findall(r"\{\s*(\d{3}), \"[a-z_]+\"", text)) | set(re.findall(r'\{"[A-Z]+", (\d{3}), ', text))
        statuses |= set(re.findall(r"http_respond_message\([a-z]+, (\d{3})", text))
    described = {status for methods in DOCUMENT["paths"].values() for one in methods.values() for status in one["responses"]}
    assert len(statuses) > 15
    assert statuses - described - {"405", "417", "505"} == set()  # these are no answers to what the document describes


CASES = [("GET", "/health", "/health", None), ("GET", "/ready", "/ready", None), ("GET", "/status", "/status", None),
         ("GET", "/cluster/info", "/cluster/info", None), ("GET", "/stats", "/stats", None),
         ("PUT", "/kv/{key}", "/kv/k?ttl=9.5&db=1", {"value": "v"}), ("GET", "/kv/{key}", "/kv/k?db=1", None),
         ("PUT", "/kv/{key}", "/kv/k", {"value": {"base64": "/w=="}}), ("GET", "/kv/{key}", "/kv/k", None),
         ("DELETE", "/kv/{key}", "/kv/k", None), ("GET", "/kv/{key}", "/kv/none", None),
         ("POST", "/command", "/command", ["INCR", "n"]), ("POST", "/command", "/command", ["GET", "none"]),
         ("POST", "/command", "/command", ["BLPOP", "x", 0]),
         ("POST", "/batch", "/batch", {"atomic": True, "operations": [{"op": "set", "key": "a", "value": "1", "ttl": 5},
                                                                      {"op": "get", "key": "a"},
                                                                      {"op": "command", "args": ["PING"]}]}),
         ("POST", "/batch", "/batch", {"operations": [{"op": "put"}]})]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_answers_are_as_the_document_says(node, case):
    method, template, path, body = case
    described = DOCUMENT["paths"][template][method.lower()]
    if body is not None and case != CASES[-1]:
        schema = described["requestBody"]["content"]["application/json"]["schema"]
        assert faults(body, schema) == []
    answer = request(node.web, method, path, body)
    response = resolve(described["responses"][str(answer.status)])
    assert faults(answer.json(), response["content"]["application/json"]["schema"]) == []


def test_a_generated_client_finds_nothing(node, tmp_path):
    """schemathesis makes requests up from the document, and holds the answers against it."""
    program = shutil.which("schemathesis") or shutil.which("st")
    if not program:
        pytest.skip("schemathesis is not installed: pip install schemathesis")
    done = subprocess.run([program, "run", str(TOP / "deploy" / "openapi.json"), "--url", f"http://127.0.0.1:{node.web}",
                           "--max-examples", "25", "--seed", "1", "--checks",
                           "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout.decode()[-6000:]
    assert node.running and request(node.web, "GET", "/health").status == 200
