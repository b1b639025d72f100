from scenario import Scenario


class TestRedisPy(Scenario):
    name = "redis-py"
