"""linetune push, with huggingface_hub and a stand-in for its server."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Cli
from demo import make_run

import linetune
from linetune.core import image
from linetune.core.charset import Charset
from linetune.formats.model import Model
from linetune.formats.notes import rewrite
from linetune.formats.onnx_file import export
from linetune.formats.store import load_model, save_model
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.layers.reparam import fold
from linetune.models.network import Network
from linetune.report.card import CARD

constants = pytest.importorskip("huggingface_hub.constants")
TOKEN = "hf_right"
# huggingface_hub uploads with an argument that its own library for HTTP calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
NAMES = ["README.md", "charset.txt", "linetune.yaml", "model.onnx", "model.safetensors"]


@dataclass
class Server:
    """What the stand-in has and what it was asked."""

    address: str = ""
    public: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    branches: list[str] = field(default_factory=list)
    uploaded: dict[str, bytes] = field(default_factory=dict)
    commits: list[dict[str, bytes]] = field(default_factory=list)
    revision: str = ""
    refusal: int = 0
    """The status with which a commit is refused."""
    on_upload: Callable[[], object] = lambda: None

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, Any]:
        if method == "PUT":
            self.on_upload()
            self.uploaded[path.rpartition("/")[2]] = body
            return 200, {}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if token != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid username or password."}
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        found = re.fullmatch(r"/(?:api/models/)?(me/[\w-]+?)(?:\.git)?(/.*)?", path)
        if not found or found[1] not in self.public | self.private:
            return 404, {"error": "Repository not found"}
        name, rest = found[1], found[2] or ""
        if rest == "":
            return 200, {"id": name, "private": name in self.private, "tags": [], "siblings": []}
        if rest.startswith("/branch/"):
            self.branches.append(rest.removeprefix("/branch/"))
            return 200, {}
        if rest.startswith("/preupload/"):
            files = [(file["path"], file["size"] > 100_000) for file in json.loads(body)["files"]]
            modes = [
                {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
                for path, large in files
            ]
            return 200, {"files": modes}
        if rest == "/info/lfs/objects/batch":
            wanted = json.loads(body)["objects"]
            hrefs = [{"upload": {"href": f"{self.address}/upload/{each['oid']}"}} for each in wanted]
            objects = [{**each, "actions": href} for each, href in zip(wanted, hrefs, strict=True)]
            return 200, {"transfer": "basic", "objects": objects}
        if rest.startswith("/commit/"):
            return self.commit(name, rest.removeprefix("/commit/"), body)
        raise AssertionError(f"{method} {path}")

    def create(self, wanted: dict[str, Any]) -> tuple[int, Any]:
        owner = wanted.get("organization") or "me"
        name = f"{owner}/{wanted['name']}"
        if owner != "me":
            return 403, {"error": "You don't have the rights to create a model under this namespace"}
        status = 409 if name in self.public | self.private else 200
        if status == 200:
            hidden = wanted.get("private") or wanted.get("visibility") == "private"
            (self.private if hidden else self.public).add(name)
        return status, {"url": f"{self.address}/{name}", "error": "You already created this model repo"}

    def commit(self, name: str, revision: str, body: bytes) -> tuple[int, Any]:
        if self.refusal:
            return self.refusal, {"error": "quota exceeded"}
        files = {}
        for entry in map(json.loads, body.splitlines()):
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.uploaded[value["oid"]]
        self.commits.append(files)
        self.revision = revision
        return 200, {"commitUrl": f"{self.address}/{name}/commit/abc", "commitOid": "abc"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.headers.get("Authorization", "")
            status, content = state.answer(self.command, self.path.partition("?")[0], token, body)
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = respond  # noqa: N815 - the names of http.server

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.address = f"http://127.0.0.1:{http.server_address[1]}"
        threading.Thread(target=http.serve_forever, daemon=True).start()
        # The client has read the environment when it was imported, perhaps by another test.
        monkeypatch.setattr(constants, "ENDPOINT", state.address)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield state
        http.shutdown()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_run(tmp_path_factory.mktemp("home") / "secret", drawn=4, tested=20)
    torch.manual_seed(0)
    charset = Charset(("A", "B"))
    network = fold(Network(PPOCRMobile(scale=0.35), charset.classes))
    with torch.no_grad():
        network.head.fc.bias.copy_(torch.tensor([-50.0, 50.0, -50.0]))
    settings = {"seed": 3, "data": {"train": [{"file": "train.txt"}]}}
    provenance = {"base_model": "PP-OCRv5_mobile_rec", "settings": settings}
    model = Model(network, charset, "PP-OCRv5_mobile_rec", "here", provenance=provenance)
    save_model(model, run / "model.safetensors")
    export(model, run / "model.onnx", [image.read(run.parent / "crops" / "00.png")])
    charset.write(run / "charset.txt")
    return run


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole.parent, tmp_path / "copy")
    return tmp_path / "copy" / whole.name


def test_one_commit_has_the_files_and_nothing_of_the_user(
    run: Path, whole: Path, server: Server, cli: Cli
) -> None:
    done = cli("push", run, "me/lots", "--private")
    assert (done.code, done.out) == (0, f"{server.address}/me/lots\n"), done.err
    assert server.private == {"me/lots"}
    assert server.revision == "main"
    (files,) = server.commits
    assert sorted(files) == NAMES
    for name in ("model.safetensors", "model.onnx", "charset.txt"):
        assert files[name] == (run / name).read_bytes()
        assert hashlib.sha256(files[name]).hexdigest() in server.uploaded or len(files[name]) <= 100_000
    assert files["README.md"] == (run / CARD).read_bytes()
    assert b"\nseed: 3\n" in files["linetune.yaml"]
    folders = (run.parent, whole.parent, Path.home(), Path(linetune.__file__).parent)
    for name, content in files.items():
        assert not any(str(folder).encode() in content for folder in folders if str(folder) != "/"), name
        assert f"{name}: {len(content):,} bytes" in done.err


def test_a_branch_is_made_and_named(run: Path, server: Server, cli: Cli) -> None:
    server.public.add("me/lots")
    done = cli("push", run, "lots", "--revision", "v2", "--quiet")
    assert (done.code, done.out, done.err) == (0, f"{server.address}/me/lots/tree/v2\n", "")
    assert server.branches == ["v2"]
    assert server.revision == "v2"


def test_a_card_is_renewed_unless_a_person_has_changed_it(run: Path, server: Server, cli: Cli) -> None:
    assert cli("push", run, "me/lots").code == 0
    promise = {"max_error": 0.01, "threshold": 0.98, "readings": 300, "accepted": 299, "wrong": 0}
    promised = replace(load_model(run), promise=promise)
    assert rewrite(promised) == [run / "model.safetensors", run / "model.onnx"]
    assert cli("push", run, "me/lots").code == 0
    assert b"accept a confidence of 0.9800" in server.commits[-1]["README.md"]
    (run / CARD).write_text("# Mine\n", "utf-8")
    done = cli("push", run, "me/lots")
    assert server.commits[-1]["README.md"] == b"# Mine\n"
    assert "was changed by hand, and is published as it is" in done.err


def refused(cli: Cli, server: Server, *arguments: object) -> str:
    """The one line of an error that publishes nothing."""
    done = cli("push", *arguments)
    assert done.code == 2
    assert server.commits == []
    assert done.out == ""
    (line,) = done.errors
    assert done.err.endswith(f"{line}\n")
    return line


def test_what_the_hub_refuses_is_one_line(
    run: Path, server: Server, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "you may not write there" in refused(cli, server, run, "other/lots")
    assert "me/a b: not a name of a repository; write USER/NAME" in refused(cli, server, run, "me/a b")
    server.public.add("me/open")
    assert "the repository is public; make it private" in refused(cli, server, run, "me/open", "--private")
    server.refusal = 507
    assert "answers with the error 507 (quota exceeded)" in refused(cli, server, run, "me/lots")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "does not accept the login" in refused(cli, server, run, "me/lots")
    monkeypatch.delenv("HF_TOKEN")
    assert "no login at Hugging Face; hf auth login" in refused(cli, server, run, "me/lots")


def test_without_a_network_it_is_one_line(
    run: Path, server: Server, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "Hugging Face cannot be reached (" in refused(cli, server, run, "me/lots")


def test_only_the_folder_of_a_complete_run_is_published(run: Path, server: Server, cli: Cli) -> None:
    assert "not a folder; name a folder that" in refused(cli, server, run / "model.safetensors", "me/lots")
    assert "no such run folder; name" in refused(cli, server, "PP-OCRv5_mobile_rec", "me/lots")
    (run / "model.onnx").rename(run / "other.onnx")
    assert "has no ONNX file; linetune export" in refused(cli, server, run, "me/lots")
    (run / "results.json").unlink()
    assert "has no complete run" in refused(cli, server, run, "me/lots")


def test_an_onnx_file_with_another_promise_is_not_published(run: Path, server: Server, cli: Cli) -> None:
    save_model(replace(load_model(run), promise={"threshold": 0.5}), run / "model.safetensors")
    said = refused(cli, server, run, "me/lots")
    assert "is not that of model.safetensors; linetune export" in said
    assert cli(*said.partition("; linetune ")[2].split()).code == 0
    assert cli("push", run, "me/lots").code == 0


def test_without_the_package_it_says_how_to_install_it(
    run: Path, server: Server, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert refused(cli, server, run, "me/lots").endswith("pip install 'linetune[hub]'")


@pytest.mark.skipif(os.name != "posix", reason="only there a process can be interrupted so")
def test_an_interruption_publishes_nothing(run: Path, server: Server, cli: Cli) -> None:
    server.on_upload = lambda: os.kill(os.getpid(), signal.SIGINT)
    done = cli("push", run, "me/lots")
    assert done.code == 130
    assert done.err.endswith("stopped; the repository has all these files, or none\n")
    assert server.commits == []
