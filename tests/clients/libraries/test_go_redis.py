from scenario import Scenario


class TestGoRedis(Scenario):
    name = "go-redis"
