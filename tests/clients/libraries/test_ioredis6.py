from scenario import Scenario


class TestIoredis(Scenario):
    name = "ioredis"
