"""What all tests with real processes share: the path of tests/support, and the nodes' logs in a failure's report."""
import os
import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))

import cluster as cluster_module  # noqa: E402


def interrupt(*_):
    raise KeyboardInterrupt


def pytest_configure(config):
    config.addinivalue_line("markers", "long: another case of a test that takes seconds; see FLOTILLA_LONG")
    signal.signal(signal.SIGTERM, interrupt)  # an orderly end, with nothing left behind
    if not os.access(cluster_module.SERVER, os.X_OK):
        raise pytest.UsageError(f"{cluster_module.SERVER} is missing; build it with: make")


def pytest_collection_modifyitems(config, items):
    """FLOTILLA_LONG: only (tests that are marked long), all; else those are left out."""
    which = os.environ.get("FLOTILLA_LONG")
    if which == "all":
        return
    left_out = [item for item in items if bool(item.get_closest_marker("long")) != (which == "only")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def make_cluster(request):
    """make_cluster(size=3, links=False, directive=value …): a running cluster, gone after the test."""
    made = []

    def make(start=True, **options):
        one = cluster_module.Cluster(name=request.node.name.removeprefix("test_"), **options)
        made.append(one)
        return one.start() if start else one

    request.node.clusters = made
    yield make
    for one in made:
        one.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for one in getattr(item, "clusters", []):
            if one.dir.exists():
                report.sections.append(("logs of the nodes", one.logs()))
