from scenario import Scenario


class TestRedisRs(Scenario):
    name = "redis-rs"
