"""A node's disk that fails: a library between the server and the system, see tests/shim/disk_faults.c."""
import os

from cluster import TOOLS


def shim(node):
    """To be called before the node starts. What is wrong with its disk is written to node.dir/faults."""
    options = os.environ.get("ASAN_OPTIONS", "")
    node.environment = {
        "LD_PRELOAD": str(TOOLS / "disk_faults.so"),
        "FLOTILLA_DISK_FAULTS": str(node.dir / "faults"),
        "ASAN_OPTIONS": ":".join(filter(None, [options, "verify_asan_link_order=0"])),
    }


def set_faults(node, *lines):
    if not lines:
        (node.dir / "faults").unlink(missing_ok=True)
        return
    new = node.dir / "faults.new"
    new.write_text("".join(line + "\n" for line in lines))
    new.rename(node.dir / "faults")
