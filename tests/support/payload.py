"""Payloads of RESTORE."""


def with_footer(body, version=10):
    payload = body + version.to_bytes(2, "little")
    return payload + crc64(payload).to_bytes(8, "little")


def crc64(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
    return crc
