# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""A Hub on loopback that lives in memory: what of its API huggingface_hub and datasets use to push and load."""

import base64
import hashlib
import json
import threading
from contextlib import nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


OWNER_TOKEN = "hf_owner"
LARGE_SUFFIXES = (".safetensors", ".parquet", ".bin")
DATE = "2026-01-01T00:00:00.000Z"


@dataclass
class Repository:
    """Branches name commits, and a commit is all of its files."""

    private: bool
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        """Moves a branch to new files; returns the commit's hash."""
        content = [
            len(self.commits),
            branch,
            *((name, hashlib.sha1(data).hexdigest()) for name, data in files.items()),
        ]
        oid = hashlib.sha1(repr(content).encode()).hexdigest()
        self.commits[oid], self.branches[branch] = files, oid
        return oid

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch or a hash means."""
        return self.branches.get(revision, revision if revision in self.commits else None)


class HubServer(ThreadingHTTPServer):
    """
    The server and all it knows. Use it as a context manager.

    `drops` lists `(method, part of the path)` of requests whose connection breaks, each once; `requests` lists those
    that came. `repositories` are by kind and name: `("models", "org/name")`.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.large_files: dict[str, bytes] = {}
        self.drops: list[tuple[str, str]] = []
        self.requests: list[tuple[str, str]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """What `HF_ENDPOINT` must be."""
        return f"http://127.0.0.1:{self.server_port}"

    def files(self, name: str, kind: str = "models", revision: str = "main") -> dict[str, bytes]:
        """What lies in a repository."""
        repository = self.repositories[kind, name]
        return repository.commits[repository.resolve(revision)]

    def add(self, name: str, files: dict[str, bytes], private: bool = False) -> None:
        """Puts a repository there without asking anybody."""
        self.repositories["models", name] = repository = Repository(private)
        repository.commit("main", files)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """Clients that hang up are no news."""


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.code = status, code


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def _run(self):
        self.url = urlsplit(self.path)
        self.parts = [unquote(part) for part in self.url.path.split("/")[1:]]
        self.query = {key: values[0] for key, values in parse_qs(self.url.query).items()}
        self.server.requests.append((self.command, self.url.path))
        if self._is_dropped():
            return
        self.body = self._read_body()
        try:
            # Reading takes no lock: a client may leave a stream half read and ask for something else meanwhile.
            with nullcontext() if self.command in ("GET", "HEAD") else self.server.lock:
                self._route()
        except _Refused as error:
            body = json.dumps({"error": str(error)}).encode()
            self._send(body, error.status, {"X-Error-Code": error.code, "X-Error-Message": str(error)})

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _run  # noqa: N815

    def _is_dropped(self) -> bool:
        for drop in self.server.drops:
            if drop[0] == self.command and drop[1] in self.url.path:
                self.server.drops.remove(drop)
                # In the middle of the file, as when a cable is pulled.
                self.rfile.read(min(100, int(self.headers.get("Content-Length", 0))))
                self.close_connection = True
                self.connection.close()
                return True
        return False

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, content) -> None:
        self._send(json.dumps(content).encode(), headers={"Content-Type": "application/json"})

    def log_message(self, *_):
        pass

    # ------------------------------------------------------------------------------------------------------- routes

    def _route(self) -> None:
        match self.parts:
            case ["api", "whoami-v2"]:
                self._demand_token()
                self._json({"type": "user", "name": "org", "orgs": [], "auth": {"type": "access_token"}})
            case ["api", "validate-yaml"]:
                self._json({"errors": [], "warnings": []})
            case ["api", "repos", "create"]:
                self._create()
            case ["api", ("models" | "datasets") as kind, owner, name, *rest]:
                self._api(self._repository(kind, f"{owner}/{name}"), f"{owner}/{name}", rest)
            case ["large", oid]:
                self._put_large(oid)
            case ["datasets", owner, name, "info", "lfs", "objects", "batch"]:
                self._large_batch("datasets", f"{owner}/{name.removesuffix('.git')}")
            case [owner, name, "info", "lfs", "objects", "batch"]:
                self._large_batch("models", f"{owner}/{name.removesuffix('.git')}")
            case ["datasets", owner, name, "resolve", revision, *path]:
                self._resolve(self._repository("datasets", f"{owner}/{name}"), revision, "/".join(path))
            case [owner, name, "resolve", revision, *path]:
                self._resolve(self._repository("models", f"{owner}/{name}"), revision, "/".join(path))
            case _:
                raise _Refused(404, "", f"This server does not know {self.command} {self.path}.")

    def _token(self) -> str | None:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None

    def _demand_token(self) -> None:
        if self._token() != OWNER_TOKEN:
            raise _Refused(401, "", "Invalid credentials in Authorization header")

    def _repository(self, kind: str, name: str) -> Repository:
        found = self.server.repositories.get((kind, name))
        if found is None or (found.private and self._token() != OWNER_TOKEN):
            # Like the Hub: who may not see it is not told whether it is there.
            raise _Refused(404 if self._token() == OWNER_TOKEN else 401, "RepoNotFound", "Repository not found")
        return found

    def _commit_oid(self, repository: Repository, revision: str) -> str:
        oid = repository.resolve(revision)
        if oid is None:
            raise _Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return oid

    def _create(self) -> None:
        self._demand_token()
        wanted = json.loads(self.body)
        kind, name = wanted.get("type", "model") + "s", f"{wanted['organization']}/{wanted['name']}"
        if wanted["organization"] != "org":
            raise _Refused(403, "", f"You don't have the rights to create a {kind[:-1]} under this namespace")
        prefix = "datasets/" if kind == "datasets" else ""
        answer = {"url": f"{self.server.url}/{prefix}{name}", "name": name, "id": name}
        if (kind, name) in self.server.repositories:
            self._send(json.dumps(answer | {"error": "You already created this repo"}).encode(), 409)
            return
        repository = Repository(private=wanted.get("visibility") == "private")
        repository.commit("main", {".gitattributes": b"*.safetensors filter=lfs\n"})
        self.server.repositories[kind, name] = repository
        self._json(answer)

    def _api(self, repository: Repository, name: str, rest: list[str]) -> None:
        match rest:
            case [] | [""]:
                self._info(repository, name, "main")
            case ["revision", revision]:
                self._info(repository, name, revision)
            case ["refs"]:
                names = [
                    {"name": b, "ref": f"refs/heads/{b}", "targetCommit": o} for b, o in repository.branches.items()
                ]
                self._json({"branches": names, "converts": [], "tags": []})
            case ["branch", branch] if self.command == "POST":
                self._demand_token()
                repository.branches[branch] = repository.branches["main"]
                self._json({})
            case ["commits", revision]:
                oid = self._commit_oid(repository, revision)
                self._json([{"id": oid, "title": "", "message": "", "authors": [], "date": DATE}])
            case ["tree", revision, *path]:
                self._tree(repository, revision, "/".join(path))
            case ["paths-info", revision]:
                files = repository.commits[self._commit_oid(repository, revision)]
                asked = {path.strip("/") for path in parse_qs(self.body.decode()).get("paths", [])}
                entries = [*(_entry(path, data) for path, data in files.items()), *_folders(files)]
                self._json([entry for entry in entries if entry["path"] in asked])
            case ["preupload", revision]:
                self._preupload(repository, revision)
            case ["commit", revision]:
                self._commit(repository, name, revision)
            case _:
                raise _Refused(404, "", f"This server does not know {self.command} {self.path}.")

    def _info(self, repository: Repository, name: str, revision: str) -> None:
        oid = self._commit_oid(repository, revision)
        siblings = [{"rfilename": path} for path in repository.commits[oid]]
        content = {"id": name, "modelId": name, "sha": oid, "private": repository.private, "siblings": siblings}
        self._json(content | {"tags": [], "lastModified": DATE, "createdAt": DATE, "downloads": 0, "likes": 0})

    def _tree(self, repository: Repository, revision: str, folder: str) -> None:
        files = repository.commits[self._commit_oid(repository, revision)]
        entries = [*(_entry(path, data) for path, data in files.items()), *_folders(files)]
        below = folder.strip("/") + "/" if folder.strip("/") else ""
        entries = [entry for entry in entries if entry["path"].startswith(below)]
        if below and not entries:
            raise _Refused(404, "EntryNotFound", f"{folder} does not exist on {revision}")
        if self.query.get("recursive") not in ("true", "True", "1"):
            entries = [entry for entry in entries if "/" not in entry["path"].removeprefix(below)]
        self._json(entries)

    # ------------------------------------------------------------------------------------------------------ writing

    def _preupload(self, repository: Repository, revision: str) -> None:
        self._demand_token()
        files = repository.commits[self._commit_oid(repository, revision)]
        answers = []
        for wanted in json.loads(self.body)["files"]:
            path = wanted["path"]
            mode = "lfs" if path.endswith(LARGE_SUFFIXES) else "regular"
            answers.append(
                {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": _oid(path, files.get(path))}
            )
        self._json({"files": answers})

    def _large_batch(self, kind: str, name: str) -> None:
        self._demand_token()
        self._repository(kind, name)
        objects = []
        for wanted in json.loads(self.body)["objects"]:
            answer = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.server.large_files:
                answer["actions"] = {"upload": {"href": f"{self.server.url}/large/{wanted['oid']}"}}
            objects.append(answer)
        self._json({"transfer": "basic", "objects": objects})

    def _put_large(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise _Refused(422, "", "The content is not what was announced")
        self.server.large_files[oid] = self.body
        self._send(b"", headers={"ETag": f'"{oid}"'})

    def _commit(self, repository: Repository, name: str, revision: str) -> None:
        self._demand_token()
        if revision not in repository.branches:
            raise _Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        files = dict(repository.commits[repository.branches[revision]])
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.server.large_files[value["oid"]]
            elif item["key"] == "deletedFile":
                del files[value["path"]]
        oid = repository.commit(revision, files)
        url = f"{self.server.url}/{name}/commit/{oid}"
        self._json({"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})

    # ------------------------------------------------------------------------------------------------------ reading

    def _resolve(self, repository: Repository, revision: str, path: str) -> None:
        oid = self._commit_oid(repository, revision)
        data = repository.commits[oid].get(path)
        if data is None:
            raise _Refused(404, "EntryNotFound", f"{path} does not exist on {revision}")
        headers = {"X-Repo-Commit": oid, "ETag": f'"{_oid(path, data)}"', "Accept-Ranges": "bytes"}
        headers |= {"X-Linked-Size": str(len(data)), "X-Linked-Etag": f'"{_oid(path, data)}"'}
        span = self.headers.get("Range")
        if span is None:
            self._send(data, headers=headers)
            return
        first, last = span.removeprefix("bytes=").split("-")
        begin, end = int(first), min(int(last) + 1 if last else len(data), len(data))
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(data)}"
        self._send(data[begin:end], status=206, headers=headers)


def _oid(path: str, data: bytes | None) -> str | None:
    """Git's hash of a small file, and the plain one of a large file."""
    if data is None:
        return None
    if path.endswith(LARGE_SUFFIXES):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _entry(path: str, data: bytes) -> dict:
    entry = {"type": "file", "path": path, "size": len(data), "oid": _oid(path, data)}
    entry["lastCommit"] = {"id": "0" * 40, "title": "", "date": DATE}
    if path.endswith(LARGE_SUFFIXES):
        entry["lfs"] = {"oid": _oid(path, data), "size": len(data), "pointerSize": 134}
    return entry


def _folders(files: dict[str, bytes]) -> list[dict]:
    names = {path[:i] for path in files for i, letter in enumerate(path) if letter == "/"}
    commit = {"id": "0" * 40, "title": "", "date": DATE}
    return [
        {"type": "directory", "path": name, "oid": "0" * 40, "size": 0, "lastCommit": commit} for name in sorted(names)
    ]
