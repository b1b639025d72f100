from scenario import Scenario


class TestNodeRedis(Scenario):
    name = "node-redis"
