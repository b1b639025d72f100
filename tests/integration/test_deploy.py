"""The container's steps and scripts without an engine, and the files for Kubernetes without a cluster."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from cluster import SERVER, TOP, Ports, spawn, temporary_folder
from resp import Connection
from waiting import wait_for

yaml = pytest.importorskip("yaml")

CONTAINER = TOP / "deploy" / "container"
KUBERNETES = TOP / "deploy" / "kubernetes"
PROGRAMS = pathlib.Path(SERVER).resolve().parent
INSIDE = "/usr/local/lib/flotilla"
PASSWORD = 'a "word" with \\ in it, $HOME too'


@pytest.fixture
def folder():
    path = temporary_folder("deploy")
    yield path
    shutil.rmtree(path)


def run(*command, **environment):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
                          cwd=TOP, check=False, text=True, env=os.environ | {k: str(v) for k, v in environment.items()})
    return done.returncode, done.stdout


# --- the container ---

INSTRUCTIONS = [line.split(None, 1) for line in
                re.sub(r"\\\n", "", (CONTAINER / "Containerfile").read_text()).splitlines()
                if line and not line.startswith("#")]


def instructions(name):
    return [rest for word, rest in INSTRUCTIONS if word == name]


def copied():
    """What the last stage has from this folder: path inside, path here."""
    last = INSTRUCTIONS[max(i for i, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM"):]
    files = {}
    for word, rest in last:
        words = [part for part in rest.split() if not part.startswith("--")]
        if word == "COPY" and "--from=" not in rest:
            for name in words[:-1]:
                files[f"{INSIDE}/{pathlib.Path(name).name}"] = TOP / name
    return files


def test_each_file_of_the_container_is_there_and_no_root_runs_it():
    files = copied()
    assert {f"{INSIDE}/{name}" for name in ("setup", "entrypoint", "health", "hand-over")} == set(files)
    for path in files.values():
        assert os.access(path, os.X_OK), path
        assert run("sh", "-n", path) == (0, "")
    assert int(instructions("USER")[-1].split(":")[0]) > 0
    assert f'["{INSIDE}/health", "live"]' in instructions("HEALTHCHECK")[0]
    assert instructions("ENTRYPOINT") == [f'["{INSIDE}/entrypoint"]']
    assert len(instructions("FROM")) == 2 and instructions("VOLUME") == ["/data"]
    assert instructions("RUN") == ["deploy/container/build /programs", f"sh {INSIDE}/setup"]


def test_the_steps_of_the_container_give_what_it_needs(folder):
    build = folder / "build"
    build.mkdir()
    for name in ("flotilla-server", "flotilla-check"):
        shutil.copy(PROGRAMS / name, build)
    make = f"make -s -o {build}/flotilla-server -o {build}/flotilla-check BUILD={build}"
    status, text = run(CONTAINER / "build", folder / "programs", NO_INSTALL="yes", MAKE=make, MAKEFLAGS="")
    assert status == 0, text
    assert sorted(str(path.relative_to(folder / "programs")) for path in (folder / "programs").rglob("*")
                  if path.is_file()) == ["usr/local/bin/flotilla-check", "usr/local/bin/flotilla-server"]
    status, text = run(folder / "programs/usr/local/bin/flotilla-server", "--version")
    assert status == 0 and "Flotilla server" in text
    if os.geteuid() != 0:
        return
    (folder / "root/etc").mkdir(parents=True)
    (folder / "root/etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    status, text = run(CONTAINER / "setup", NO_INSTALL="yes", ROOT=folder / "root")
    assert status == 0, text
    user = int(instructions("USER")[-1].split(":")[0])
    assert f"flotilla:x:{user}:{user}:" in (folder / "root/etc/passwd").read_text()
    data = (folder / "root/data").stat()
    assert (data.st_uid, data.st_gid, data.st_mode & 0o7777) == (user, user, 0o750)


def test_a_container_keeps_its_password_in_a_file(folder):
    (folder / "password").write_text(PASSWORD + "\nand a second line\n")
    (folder / "more.conf").write_text("timeout 77\ndir /none\n")
    ports = Ports()
    port = ports.take()
    environment = {"FLOTILLA_SERVER": SERVER, "FLOTILLA_DATA": str(folder / "data"), "FLOTILLA_PORT": str(port),
                   "FLOTILLA_PASSWORD_FILE": str(folder / "password")}
    (folder / "data").mkdir()
    process = spawn([str(CONTAINER / "entrypoint"), str(folder / "more.conf"), "--port", str(port), "--bind", "127.0.0.1"],
                    folder / "log", env=os.environ | environment)
    try:
        wait_for(lambda: run(CONTAINER / "health", "ready", **environment)[0] == 0, 20, "the node serves")
        with Connection(port=port) as connection:
            assert connection.call("GET", "key").code == "NOAUTH"
            assert connection.call("AUTH", PASSWORD) == "OK"
            assert connection.call("CONFIG", "GET", "timeout") == [b"timeout", b"77"]
            assert connection.call("CONFIG", "GET", "dir") == [b"dir", str(folder / "data").encode()]
        assert PASSWORD.encode() not in pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
        # It is the server itself that gets the signals, and no shell.
        assert os.readlink(f"/proc/{process.pid}/exe") == str(pathlib.Path(SERVER).resolve())
        (folder / "password").write_text("another one\n")
        assert run(CONTAINER / "health", "live", **environment)[0] == 1
    finally:
        process.kill()
        process.wait()
        ports.close()


@pytest.mark.parametrize("text, expected", [(None, "cannot be read"), ("", "is empty"), ("\nsecond line\n", "is empty")])
def test_a_container_without_its_password_does_not_start(folder, text, expected):
    if text is not None:
        (folder / "password").write_text(text)
    status, said = run(CONTAINER / "entrypoint", FLOTILLA_SERVER="/bin/false", FLOTILLA_PASSWORD_FILE=folder / "password")
    assert status == 1 and expected in said, said


def test_health_and_hand_over_ask_the_node(make_cluster):
    cluster = make_cluster()
    leader = cluster.wait_leader()
    follower = cluster.followers()[0]
    for node in cluster.nodes:
        assert run(CONTAINER / "health", "live", FLOTILLA_PORT=node.port)[0] == 0
        wait_for(lambda: run(CONTAINER / "health", "ready", FLOTILLA_PORT=node.port)[0] == 0, 20)
    assert run(CONTAINER / "hand-over", FLOTILLA_PORT=follower.port)[0] == 0
    assert cluster.wait_leader() is leader
    assert run(CONTAINER / "hand-over", FLOTILLA_PORT=leader.port)[0] == 0
    assert cluster.wait_leader() is not leader
    left = leader
    for node in cluster.nodes:
        if node is not left:
            node.kill()
    # No majority: it lives, and does not serve.
    assert run(CONTAINER / "health", "live", FLOTILLA_PORT=left.port)[0] == 0
    wait_for(lambda: run(CONTAINER / "health", "ready", FLOTILLA_PORT=left.port)[0] == 1, 20)
    left.kill()
    assert run(CONTAINER / "health", "live", FLOTILLA_PORT=left.port)[0] == 1
    assert run(CONTAINER / "hand-over", FLOTILLA_PORT=left.port)[0] == 0


# --- Kubernetes ---

def documents():
    names = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    assert {"kustomization.yaml", *names} == {path.name for path in KUBERNETES.iterdir()}
    return [one for name in names for one in yaml.safe_load_all((KUBERNETES / name).read_text())]


def one(kind, name="flotilla"):
    [found] = [each for each in documents() if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


LABELS = {"app.kubernetes.io/name": "flotilla"}
VERSIONS = {"Service": "v1", "StatefulSet": "apps/v1", "PodDisruptionBudget": "policy/v1",
            "NetworkPolicy": "networking.k8s.io/v1"}


def test_each_kind_has_its_version_and_all_of_them_mean_the_same_pods():
    assert {each["kind"]: each["apiVersion"] for each in documents()} == VERSIONS
    stateful = one("StatefulSet")["spec"]
    assert stateful["template"]["metadata"]["labels"] == LABELS
    assert stateful["selector"]["matchLabels"] == LABELS
    assert one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == LABELS
    assert one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == LABELS
    assert one("Service")["spec"]["selector"] == one("Service", "flotilla-client")["spec"]["selector"] == LABELS


def test_nodes_find_each_other_before_they_are_ready():
    service = one("Service")
    assert service["spec"]["clusterIP"] == "None" and service["spec"]["publishNotReadyAddresses"] is True
    spec = one("StatefulSet")["spec"]
    assert spec["serviceName"] == service["metadata"]["name"]
    # One that waited for the readiness of the one before would wait forever: they begin together.
    assert spec["podManagementPolicy"] == "Parallel"
    arguments = container()["args"]
    seeds = arguments[arguments.index("--cluster-seeds") + 1].split(",")
    assert seeds == [f"flotilla-{i}.flotilla:6379" for i in range(spec["replicas"])]
    assert arguments[arguments.index("--raft-bootstrap-expect") + 1] == str(spec["replicas"])
    assert one("PodDisruptionBudget")["spec"]["maxUnavailable"] == (spec["replicas"] - 1) // 2


def container():
    [each] = one("StatefulSet")["spec"]["template"]["spec"]["containers"]
    return each


def test_the_server_takes_the_arguments_of_the_pods(folder):
    each = container()
    (folder / "password").write_text("of the clients\n")
    (folder / "secret").write_text("of the nodes, at least 32 characters long\n")
    files = {entry["name"]: folder / pathlib.Path(entry["value"]).name for entry in each["env"] if "value" in entry}
    assert set(files) == {"FLOTILLA_PASSWORD_FILE", "FLOTILLA_SECRET_FILE"}
    assert "POD_NAME" in [entry["name"] for entry in each["env"]]
    ports = Ports()
    arguments = [word.replace("$(POD_NAME)", "flotilla-0") for word in each["args"]]
    status, text = run(CONTAINER / "entrypoint", *arguments, "--port", ports.take(), "--check-config",
                       FLOTILLA_SERVER=SERVER, FLOTILLA_DATA=folder / "data", **files)
    ports.close()
    assert status == 0 and "configuration is fine" in text, text


def test_pods_are_confined_and_mount_what_the_container_reads():
    pod, each = one("StatefulSet")["spec"]["template"]["spec"], container()
    user = int(instructions("USER")[-1].split(":")[0])
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] == user
    assert pod["securityContext"]["fsGroup"] == user and pod["automountServiceAccountToken"] is False
    assert each["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                       "capabilities": {"drop": ["ALL"]}}
    mounts = {mount["mountPath"]: mount for mount in each["volumeMounts"]}
    assert mounts["/secrets"]["readOnly"] is True
    assert mounts["/data"]["name"] == one("StatefulSet")["spec"]["volumeClaimTemplates"][0]["metadata"]["name"]
    [volume] = pod["volumes"]
    assert volume["name"] == mounts["/secrets"]["name"] and volume["secret"]["defaultMode"] == 0o440
    read = {entry["value"] for entry in each["env"] if entry["name"].endswith("_FILE")}
    assert read == {f"/secrets/{item['path']}" for item in volume["secret"]["items"]}


def test_probes_and_the_last_step_are_scripts_of_the_container():
    each = container()
    probes = {name: each[name]["exec"]["command"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert probes == {"startupProbe": [f"{INSIDE}/health", "live"], "livenessProbe": [f"{INSIDE}/health", "live"],
                      "readinessProbe": [f"{INSIDE}/health", "ready"]}
    assert each["lifecycle"]["preStop"]["exec"]["command"] == [f"{INSIDE}/hand-over"]
    for command in [*probes.values(), each["lifecycle"]["preStop"]["exec"]["command"]]:
        assert command[0] in copied()
    # health waits two seconds for an answer, hand-over ten, and a shutdown shutdown-timeout (10).
    assert all(each[name]["timeoutSeconds"] > 2 for name in probes)
    assert one("StatefulSet")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > 10 + 10


def test_only_nodes_and_clients_reach_a_node():
    spec = one("NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    [rule] = spec["ingress"]
    assert [source["podSelector"]["matchLabels"] for source in rule["from"]] == [LABELS, {"flotilla-client": "true"}]
    named = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert [port["port"] for port in rule["ports"]] == list(named) and named == {"redis": 6379}
    to_nodes, to_names = spec["egress"]
    assert to_nodes["to"] == [{"podSelector": {"matchLabels": LABELS}}] and to_nodes["ports"][0]["port"] == 6379
    assert {port["port"] for port in to_names["ports"]} == {53}


def test_kubectl_reads_the_files():
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not there")
    status, text = run("kubectl", "kustomize", KUBERNETES)
    assert status == 0 and len(list(yaml.safe_load_all(text))) == len(documents()), text
