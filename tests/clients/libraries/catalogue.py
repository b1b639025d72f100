"""The client libraries that are tested: where each comes from, what it can be, and what it needs.

`catalogue.py` prints the README's table. fetch.py gets the libraries; no test does."""
import dataclasses
import hashlib
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
TOP = HERE.parents[2]
FOLDER = pathlib.Path(os.environ.get("FLOTILLA_CLIENTS_FOLDER", TOP / "build" / "clients"))
PLAIN, CLUSTER, SENTINEL = "plain", "cluster", "sentinel"
MODES = (PLAIN, CLUSTER, SENTINEL)


@dataclasses.dataclass(frozen=True)
class Library:
    name: str
    version: str
    language: str
    modes: tuple
    needs: tuple  # programs that have to be on the machine
    sources: str  # its program: a file or a folder in programs/; empty: it is one itself
    fetch: str  # a script for sh, run in the library's own folder, with $PROGRAMS and $VERSION
    command: tuple  # {folder} and {programs} are filled in
    environment: dict = dataclasses.field(default_factory=dict)
    wants_primary: bool = False  # it connects to no node that says that it is a replica
    breaks_off: bool = False  # it closes its connection when a Sentinel names another leader, whatever it waits for
    says: str = ""  # what it may write to standard error: a regular expression for a line

    @property
    def folder(self):
        return FOLDER / self.name

    def fill(self, text):
        return text.format(folder=self.folder, programs=PROGRAMS)

    def key(self):
        """Changes with whatever the fetched files depend on."""
        digest = hashlib.sha256((self.version + self.fetch).encode())
        where = PROGRAMS / self.sources
        for file in (sorted(where.rglob("*")) if where.is_dir() else [where]) if self.sources else []:
            if file.is_file():
                digest.update(file.read_bytes())
        return digest.hexdigest()

    def missing(self):
        """Why it cannot be run here; None if it can."""
        for program in self.needs:
            if shutil.which(program) is None:
                return f"{program} is not installed"
        done, failed = self.folder / "done", self.folder / "failed"
        if done.exists() and done.read_text() == self.key():
            return None
        return failed.read_text() if failed.exists() else "not fetched yet: make clients does it"

    def get(self, timeout=400):
        """Fetches and builds it, unless that was done; afterwards missing() says whether it is there."""
        if self.missing() is None or any(shutil.which(program) is None for program in self.needs):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PROGRAMS": str(PROGRAMS), "VERSION": self.version}
        try:
            ended = subprocess.run(["sh", "-euc", self.fetch], cwd=self.folder, env=environment, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   timeout=timeout, check=False)
            problem = " ".join(ended.stdout.split())[-300:] if ended.returncode else None
        except subprocess.TimeoutExpired:
            problem = f"nothing within {timeout} s"
        if problem is None:
            (self.folder / "done").write_text(self.key())
            (self.folder / "failed").unlink(missing_ok=True)
        else:
            (self.folder / "failed").write_text(f"{self.version} cannot be had here: {problem}")


NPM = 'echo "{}" >package.json; npm install --no-audit --no-fund --ignore-scripts --loglevel=error'
PIP = "rm -rf lib; python3 -m pip install -q --disable-pip-version-check --target lib"
GO = "cp -r $PROGRAMS/go/. .; printf 'module tests\\n\\ngo 1.22\\n' >go.mod; go get -t"
CARGO = """mkdir -p src; cp $PROGRAMS/rust/main.rs src/main.rs
cat >Cargo.toml <<END
[package]
name = "client"
version = "0.0.0"
edition = "2021"
[dependencies]
redis = { version = "=$VERSION", features = ["cluster-async", "sentinel", "tokio-comp"] }
tokio = { version = "1", features = ["macros", "rt-multi-thread", "time"] }
[profile.dev]
debug = false
END
cargo build -q"""
# MAVEN % (group, artifact, version's suffix, class)
MAVEN = """cat >pom.xml <<END
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tests</groupId><artifactId>tests</artifactId><version>1</version><dependencies><dependency>
<groupId>%s</groupId><artifactId>%s</artifactId><version>$VERSION%s</version></dependency><dependency>
<groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency></dependencies>
</project>
END
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib
javac -cp 'lib/*' -d classes $PROGRAMS/java/Protocol.java $PROGRAMS/java/%s.java"""
HIREDIS = """pkg-config --modversion hiredis
pkg-config --modversion hiredis | grep -q "^$VERSION"
cc -std=c11 -D_GNU_SOURCE -O2 -o client $PROGRAMS/c/hiredis.c $(pkg-config --cflags --libs hiredis)"""
JAVA = ("java", "-XX:TieredStopAtLevel=1", "-cp", "{folder}/classes:{folder}/lib/*")
DEBIAN = """rm -f *.deb; apt-get download -q "prometheus-redis-exporter=$VERSION*"
dpkg-deb -x prometheus-redis-exporter_*.deb ."""


def of_python(program):
    return "python3", "{programs}/python/" + program


ALL = (
    Library("redis-cli", "7.0", "C", (PLAIN, CLUSTER), ("redis-cli",), "python/redis_cli.py",
            "redis-cli --version; redis-cli --version | grep -q \" $VERSION\"", of_python("redis_cli.py")),
    Library("hiredis", "0.14", "C", (PLAIN,), ("cc", "pkg-config"), "c", HIREDIS, ("{folder}/client",)),
    Library("redis-py", "8.1.0", "Python", MODES, ("python3",), "python/redis_py.py", f"{PIP} redis==$VERSION",
            of_python("redis_py.py"), {"PYTHONPATH": "{folder}/lib"}),
    Library("valkey-glide", "2.6.0", "Python", (PLAIN, CLUSTER), ("python3",), "python/valkey_glide.py",
            f"{PIP} valkey-glide-sync==$VERSION", of_python("valkey_glide.py"), {"PYTHONPATH": "{folder}/lib"}, wants_primary=True),
    Library("ioredis", "6.0.0", "JavaScript", MODES, ("node", "npm"), "node", f"{NPM} ioredis@$VERSION",
            ("node", "{programs}/node/ioredis.js"), {"NODE_PATH": "{folder}/node_modules"}),
    Library("node-redis", "6.3.1", "JavaScript", MODES, ("node", "npm"), "node", f"{NPM} redis@$VERSION",
            ("node", "{programs}/node/node_redis.js"), {"NODE_PATH": "{folder}/node_modules"}, breaks_off=True),
    Library("go-redis", "9.23.0", "Go", MODES, ("go",), "go",
            f"{GO} github.com/redis/go-redis/v9@v$VERSION; go build -o client ./go_redis", ("{folder}/client",),
            breaks_off=True, says=r" sentinel\.go:\d+: "),
    Library("rueidis", "1.0.79", "Go", MODES, ("go",), "go",
            f"{GO} github.com/redis/rueidis@v$VERSION; go build -o client ./rueidis", ("{folder}/client",)),
    Library("Jedis", "8.0.2", "Java", MODES, ("java", "javac", "mvn"), "java",
            MAVEN % ("redis.clients", "jedis", "", "JedisProgram"), (*JAVA, "JedisProgram")),
    Library("Lettuce", "7.7.0", "Java", MODES, ("java", "javac", "mvn"), "java",
            MAVEN % ("io.lettuce", "lettuce-core", ".RELEASE", "LettuceProgram"), (*JAVA, "LettuceProgram")),
    Library("redis_exporter", "1.45.0", "Go", (PLAIN,), ("apt-get", "dpkg-deb"), "", DEBIAN,
            ("{folder}/usr/bin/prometheus-redis-exporter",)),
    Library("redis-rs", "1.7.1", "Rust", MODES, ("cargo",), "rust", CARGO, ("{folder}/target/debug/client",)),
)


def named(name):
    return next(library for library in ALL if library.name == name)


def table():
    """The README's: what each library passes the scenario as."""
    rows = ["| library | version | language | plain | cluster | Sentinel |", "|---|---|---|---|---|---|"]
    for library in ALL:
        cells = ["yes" if mode in library.modes else "–" for mode in MODES]
        if library.wants_primary:
            cells[0] = "at the leader"
        rows.append(f"| {library.name} | {library.version} | {library.language} | {' | '.join(cells)} |")
    return rows


if __name__ == "__main__":
    print("\n".join(table()))
