"""A TCP proxy with a link between two nodes in its hands: it can delay what passes, hold it back, or reset it.

It listens where the list of nodes says that a node is. Who dials is told by RAFT.HELLO, a node's first message: by
its number, or with `number_of` by its incarnation."""
import asyncio
import re
import threading
import time


HELLO = re.compile(rb"RAFT\.HELLO\r\n\$\d+\r\n\d+\r\n\$\d+\r\n(\d+)\r\n\$\d+\r\n\d+\r\n\$\d+\r\n(\d+)\r\n")
HELLO_MAX = 4096


class Link:
    """One direction of dialling between two nodes. Both directions of bytes obey the link."""

    def __init__(self):
        self.delay = 0.0
        self.is_cut = False
        self.bytes_passed = 0  # both ways, without the greetings
        self.pairs = set()


class Proxy:
    """All links of a cluster, in one thread."""

    def __init__(self, number_of=None):
        self.number_of = number_of
        self.loop = asyncio.new_event_loop()
        self.servers = []
        self.healed = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.healed = asyncio.Event()
        self.loop.run_forever()

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def add(self, host, port, diallers):
        """Connections to host:port go to the same port of 127.0.0.1. A Link for each dialler's number comes back."""
        links = {number: Link() for number in diallers}

        async def serve():
            self.servers.append(await asyncio.start_server(
                lambda reader, writer: self._accept(links, port, reader, writer), host, port))

        self._call(serve())
        return links

    @staticmethod
    async def _greeting(reader):
        data = b""
        while not HELLO.search(data) and len(data) < HELLO_MAX:
            more = await reader.read(HELLO_MAX)
            if not more:
                break
            data += more
        return data

    def _dialler(self, hello):
        return self.number_of(int(hello.group(2))) if self.number_of else int(hello.group(1))

    async def _accept(self, links, port, reader, writer):
        greeting = await self._greeting(reader)
        found = HELLO.search(greeting)
        link = links.get(self._dialler(found), Link()) if found else Link()
        while link.is_cut:
            await self.healed.wait()
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        other_writer.write(greeting)
        pair = (writer, other_writer)
        link.pairs.add(pair)
        try:
            await asyncio.gather(self._pump(link, reader, other_writer),
                                 self._pump(link, other_reader, writer))
        finally:
            link.pairs.discard(pair)
            for end in pair:
                end.transport.abort()

    async def _pump(self, link, reader, writer):
        """Ends with an exception at the end of the stream, so that the other direction ends too."""
        queue = asyncio.Queue(maxsize=256)

        async def receive():
            while True:
                data = await reader.read(1 << 16)
                await queue.put((time.monotonic() + link.delay, data))
                if not data:
                    return

        receiving = asyncio.ensure_future(receive())
        try:
            while True:
                due, data = await queue.get()
                wait = due - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                while link.is_cut:
                    await self.healed.wait()
                if not data:
                    raise ConnectionResetError
                writer.write(data)
                link.bytes_passed += len(data)
                await writer.drain()
        finally:
            receiving.cancel()

    def set_delay(self, links, seconds):
        for link in links:
            link.delay = seconds

    def cut(self, links):
        """Nothing passes any more; no end learns of it."""
        async def apply():
            self.healed.clear()
            for link in links:
                link.is_cut = True
        self._call(apply())

    def heal(self, links):
        """What was held back passes now."""
        async def apply():
            for link in links:
                link.is_cut = False
            self.healed.set()
            await asyncio.sleep(0)
            self.healed.clear()
        self._call(apply())

    def reset(self, links):
        """Both ends of every open connection see a reset."""
        async def apply():
            for link in links:
                for pair in list(link.pairs):
                    for end in pair:
                        end.transport.abort()
        self._call(apply())

    def close(self):
        async def apply():
            for server in self.servers:
                server.close()
            for task in asyncio.all_tasks():
                if task is not asyncio.current_task():
                    task.cancel()
            await asyncio.sleep(0)
        self._call(apply())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
