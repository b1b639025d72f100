"""fetch.py [NAME…]: fetches and builds the client libraries that this machine can have, into build/clients.

Says of each whether it is there. One that is not is no failure: its tests are skipped with the reason."""
import concurrent.futures
import os
import sys

import catalogue


def main(names):
    chosen = [library for library in catalogue.ALL if not names or library.name in names]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for library, _ in zip(chosen, pool.map(lambda library: library.get(), chosen)):
            problem = library.missing()
            print(f"  {library.name:18} {library.version:8} {'is there' if problem is None else problem}", flush=True)


main(sys.argv[1:])
