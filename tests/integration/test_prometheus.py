"""deploy/prometheus and deploy/grafana: rules with their own tests, and a real Prometheus that watches nodes die."""
import json
import re
import shutil
import subprocess
import urllib.parse

import pytest

from cluster import PATIENCE, TOP, spawn, temporary_folder
from waiting import wait_for
from web import request

FOLDER = TOP / "deploy" / "prometheus"
DASHBOARD = json.loads((TOP / "deploy" / "grafana" / "flotilla.json").read_text())
NAME = re.compile(r"\b(?:flotilla|redis|process)_[a-z0-9_]+")


def needs(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


def promtool(*args):
    needs("promtool")
    done = subprocess.run(["promtool", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=FOLDER, check=False)
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode()


def test_alerts_fire_where_they_have_to_and_are_silent_elsewhere():
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_every_alert_has_a_case_that_fires_and_one_that_does_not():
    names = re.findall(r"- alert: (\w+)", (FOLDER / "alerts.yml").read_text())
    tests = (FOLDER / "alerts_test.yml").read_text()
    assert len(names) > 10
    for name in names:
        assert re.search(rf"alertname: {name}\n        exp_alerts:\n", tests), f"{name} never fires"
        assert re.search(rf"alertname: {name}\n        exp_alerts: \[\]", tests), f"{name} always fires"


def test_the_configuration_is_sound():
    promtool("check", "config", "prometheus.yml")


class Prometheus:
    def __init__(self, cluster):
        self.dir = temporary_folder("prometheus")
        self.port = cluster.ports.take()
        config = (FOLDER / "prometheus.yml").read_text().replace("5s", "200ms")
        for number, node in enumerate(cluster.nodes, 1):
            config = config.replace(f"127.0.0.1:800{number}", f"127.0.0.1:{node.web}")
        (self.dir / "prometheus.yml").write_text(config)
        rules = (FOLDER / "alerts.yml").read_text()
        (self.dir / "alerts.yml").write_text(re.sub(r"for: (15s|30s|1m)\b", "for: 1s", rules))
        self.process = spawn(["prometheus", f"--config.file={self.dir}/prometheus.yml", f"--storage.tsdb.path={self.dir}/data",
                              f"--web.listen-address=127.0.0.1:{self.port}"], self.dir / "log")

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir)

    def query(self, expression):
        """[(labels, number)]"""
        answer = request(self.port, "GET", "/api/v1/query?query=" + urllib.parse.quote(expression)).json()
        assert answer["status"] == "success", (expression, answer)
        result = answer["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in result] if answer["data"]["resultType"] == "vector" else result

    def is_up(self):
        try:
            return request(self.port, "GET", "/-/ready").status == 200
        except OSError:
            assert self.process.poll() is None, (self.dir / "log").read_text()[-2000:]
            return False

    def firing(self):
        return {labels["alertname"] for labels, _ in self.query('ALERTS{alertstate="firing"}')}


@pytest.fixture
def watched(make_cluster):
    needs("prometheus")
    cluster = make_cluster(start=False)
    for node in cluster.nodes:
        node.web = cluster.ports.take()
        cluster.write_config(node, http_port=node.web)
    cluster.start()
    watcher = Prometheus(cluster)
    yield cluster, watcher
    watcher.close()


def wait_until(watcher, *alerts):
    wait_for(lambda: set(alerts) <= watcher.firing(), 60 * PATIENCE, f"{alerts} fire")


def test_it_sees_nodes_die_and_come_back(watched):
    cluster, watcher = watched
    wait_for(watcher.is_up, 60 * PATIENCE, "Prometheus answers")
    wait_for(lambda: len(watcher.query('up{job="flotilla"} == 1')) == 3, 30 * PATIENCE, "all three are scraped")
    # Before its first scrape nothing answers.
    wait_for(lambda: not watcher.firing() & {"FlotillaNoLeader", "FlotillaNoQuorum", "FlotillaNodeDown"}, 60 * PATIENCE,
             "they are quiet")
    first, second = cluster.followers()
    first.kill()
    wait_until(watcher, "FlotillaNodeDown", "FlotillaQuorumAtRisk")
    assert not watcher.firing() & {"FlotillaNoLeader", "FlotillaNoQuorum"}
    second.kill()
    wait_until(watcher, "FlotillaNoLeader", "FlotillaNoQuorum")
    first.start()
    second.start()
    wait_for(lambda: not watcher.firing() & {"FlotillaNoLeader", "FlotillaNoQuorum", "FlotillaNodeDown"}, 60 * PATIENCE,
             "they are quiet again")


@pytest.mark.long
def test_every_panel_and_rule_asks_for_what_there_is(watched):
    cluster, watcher = watched
    leader = cluster.wait_leader()
    leader.call("SET", "k", "v")
    leader.call("LPUSH", "k", "v")
    wait_for(watcher.is_up, 60 * PATIENCE, "Prometheus answers")
    expressions = [target["expr"].replace("$job", "flotilla") for panel in DASHBOARD["panels"] for target in panel["targets"]]
    assert len(expressions) > 15
    names = {name for text in [*expressions, (FOLDER / "alerts.yml").read_text()] for name in NAME.findall(text)}
    wait_for(lambda: not [name for name in names if not watcher.query(name)], 60 * PATIENCE, "every name is scraped")
    for expression in expressions:
        wait_for(lambda one=expression: watcher.query(one), 60 * PATIENCE, f"there is an answer to {expression}")
