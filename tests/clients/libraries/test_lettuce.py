from scenario import Scenario


class TestLettuce(Scenario):
    name = "Lettuce"
