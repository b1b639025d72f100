from scenario import Scenario


class TestValkeyGlide(Scenario):
    name = "valkey-glide"
