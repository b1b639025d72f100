from scenario import Scenario


class TestRueidis(Scenario):
    name = "rueidis"
