from scenario import Scenario


class TestHiredis(Scenario):
    name = "hiredis"
