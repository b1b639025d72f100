"""The README says of the client libraries what their tests show."""
import importlib.util

from cluster import TOP

LIBRARIES = TOP / "tests" / "clients" / "libraries"


def load(name):
    spec = importlib.util.spec_from_file_location(name, LIBRARIES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_has_the_table_of_the_catalogue():
    """To renew it: tests/clients/libraries/catalogue.py prints it."""
    lines = (TOP / "README.md").read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("| library | version |"))
    end = next(number for number, line in enumerate(lines) if number > begin and not line.startswith("|"))
    assert lines[begin:end] == load("catalogue").table()


def test_each_library_of_the_catalogue_has_a_test():
    tests = "".join(file.read_text() for file in LIBRARIES.glob("test_*.py"))
    assert [library.name for library in load("catalogue").ALL if f'"{library.name}"' not in tests] == []
