from scenario import Scenario


class TestRedisCli(Scenario):
    name = "redis-cli"
