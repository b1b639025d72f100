from scenario import Scenario


class TestJedis(Scenario):
    name = "Jedis"
