"""The program's side of what scenario.py says. A client has the operations as methods; each gives a list of replies."""
import sys
import time

PAUSE_AFTER_ERROR_SECONDS = 0.02


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def text_of(reply):
    if reply is None:
        return "nil"
    if reply is True:
        return "OK"
    return reply.decode() if isinstance(reply, bytes) else str(reply)


def run(operation, *args):
    try:
        replies = [text_of(reply) for reply in operation(*args)]
    except Exception as error:  # the test judges it
        say("! " + " ".join(f"{type(error).__name__}: {error}".split()))
        time.sleep(PAUSE_AFTER_ERROR_SECONDS)
        return
    for reply in replies:
        say("= " + reply)


def serve(client):
    say("ready")
    for line in sys.stdin:
        name, *args = line.split()
        if name == "incr":
            for _ in range(int(args[1])):
                run(client.incr, args[0])
        else:
            run(getattr(client, name), *args)
        say(".")
