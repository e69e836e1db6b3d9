"""The dashboard: who may ask, what the page gets, what its buttons do, and the page itself."""

import http.client
import json
import signal
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from board_double import SLOW, PluggedBoard
from browser import Browser
from verbs import refused

from tinydream.budget import budget
from tinydream.run import Run
from tinydream.simulator import Simulator

pytestmark = pytest.mark.needs("cc")

SHORT = {"epochs": 6, "rate": 0.01, "seed": 3}


class Page:
    """A dashboard in a process of its own, and requests to it."""

    def __init__(self, process):
        self.process = process
        line = process.stdout.readline()
        assert line.startswith("the dashboard is at "), line + process.stderr.read()
        self.address = line.split()[-1]
        parts = urlsplit(self.address)
        self.host, self.token = parts.netloc, parse_qs(parts.query)["token"][0]

    def ask(self, path, method="GET", body=None, **headers):
        """(status, text), as a browser would be answered."""
        line = http.client.HTTPConnection(self.host, timeout=120)
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            line.request(method, path, body, given)
            answer = line.getresponse()
            return answer.status, answer.read().decode()
        finally:
            line.close()

    def act(self, action, index=0, **given):
        bearer = {"Authorization": f"Bearer {self.token}"}
        status, text = self.ask(
            f"/api/boards/{index}/{action}", "POST", json.dumps(given), **bearer
        )
        return status, json.loads(text).get("error", "")

    def boards(self):
        """What the page is told of boards, as it comes."""
        line = http.client.HTTPConnection(self.host, timeout=120)
        try:
            line.request("GET", f"/api/events?token={self.token}")
            answer, kind = line.getresponse(), ""
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            while text := answer.readline().decode():
                if text.startswith("event: "):
                    kind = text.split()[1]
                elif text.startswith("data: ") and kind == "board":
                    yield json.loads(text[6:])
        finally:
            line.close()

    def wait(self, wanted):
        return next(board for board in self.boards() if wanted(board))


@pytest.fixture
def board(tmp_path):
    plugged = PluggedBoard(tmp_path / "ttyACM0")
    yield plugged
    plugged.unplug()


@pytest.fixture
def page(verb, board, background):
    """A dashboard of one board that knows nothing of the run."""
    return Page(background("dashboard", "--port", board.port))


@pytest.fixture
def learning(built, background):
    """A dashboard of the run's own firmware, and the run."""
    return Page(background("dashboard", "--port", "native")), Run("run")


# ---- who may ask ----


def test_only_who_has_the_token_gets_anything_of_the_run(page):
    assert page.ask(f"/?token={page.token}")[0] == 200
    for path in ("/", "/?token=", "/?token=x", "/?token=%ff", "/api/events", "/api/events?token=x"):
        status, text = page.ask(path)
        assert status == 403 and "token" in text, path
    assert page.ask("/api/boards/0/stop", "POST")[0] == 403
    assert page.ask("/api/boards/0/stop", "POST", Authorization="Bearer x")[0] == 403
    # a form of another page could send it so
    assert page.ask(f"/api/boards/0/stop?token={page.token}", "POST")[0] == 403


def test_another_name_of_this_machine_is_refused(page):
    for host in ("evil.example", "evil.example:80", "127.0.0.1", "", f"127.0.0.1.{page.host}"):
        status, text = page.ask(f"/?token={page.token}", Host=host)
        assert status in (400, 403), host
        assert page.ask("/static/dashboard.js", Host=host)[0] in (400, 403)
    port = page.host.split(":")[1]
    assert page.ask(f"/?token={page.token}", Host=f"localhost:{port}")[0] == 200


def test_a_request_of_another_page_is_refused(page):
    path, bearer = "/api/boards/0/stop", {"Authorization": f"Bearer {page.token}"}
    for origin in ("http://evil.example", "null", f"https://{page.host}", "http://127.0.0.1:1"):
        assert page.ask(path, "POST", Origin=origin, **bearer)[0] == 403, origin
    assert page.ask(path, "POST", Origin=f"http://{page.host}", **bearer)[0] == 202


def test_files_of_the_page_and_no_others_are_served(page):
    for name in ("style.css", "dashboard.css", "dashboard.js", "uPlot.iife.min.js"):
        status, text = page.ask(f"/static/{name}")
        assert status == 200 and text
    for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/static/", "/static/absent"):
        assert page.ask(path)[0] == 404, path
    index = page.ask(f"/?token={page.token}")[1]
    assert "http" not in index.replace("</html>", ""), "nothing comes from elsewhere"


def test_it_listens_on_this_machine_only(page):
    status = http.client.HTTPConnection("127.0.0.2", int(page.host.split(":")[1]), timeout=2)
    with pytest.raises(OSError):
        status.request("GET", "/")


# ---- what the page gets, and what buttons do ----


def test_a_run_begun_on_the_page_is_the_simulators_and_its_held_out_rows_are_judged(learning):
    page, run = learning
    plan = run.plan()
    page.wait(lambda board: board["up"])
    assert page.act("start", **SHORT) == (202, "")
    board = page.wait(lambda board: board["heldout"])
    simulator = Simulator(plan)
    epochs = simulator.train(epochs=6, rate=0.01, seed=3, weights_seed=3)
    assert board["epoch"] == 6 and not board["running"] and board["who"]["board"] == "native"
    assert board["curves"]["loss"][0] == [1, 2, 3, 4, 5, 6]
    assert board["curves"]["loss"][1] == [pytest.approx(m.loss, rel=1e-5) for m in epochs]
    rows = run.heldout()
    told, predicted = board["heldout"], simulator.predict(rows.X)
    assert told["rows"] == len(rows.X) and tuple(told["classes"]) == plan.classes
    for i, line in enumerate(told["count"]):
        assert line == [int(np.sum((rows.y == i) & (predicted == j))) for j in range(len(line))]
    uses = budget(plan, run.board(plan))
    assert [(r["name"], r["need"]) for r in board["memory"]] == [(u.region, u.need) for u in uses]
    assert all(sum(b for _, b, _ in r["parts"]) == r["need"] for r in board["memory"])


def test_weights_are_pulled_into_the_run(learning):
    page, run = learning
    page.wait(lambda board: board["up"])
    page.act("start", **SHORT)
    page.wait(lambda board: board["heldout"])
    assert not run.has("weights.npz")
    assert page.act("pull") == (202, "")
    page.wait(lambda board: any("weights.npz" in line for line in board["log"]))
    simulator = Simulator(run.plan())
    simulator.train(epochs=6, rate=0.01, seed=3, weights_seed=3)
    assert (run.weights(run.plan()) == simulator.weights).all()


def test_a_run_is_held_and_stopped_from_the_page(page):
    page.wait(lambda board: board["up"])
    page.act("start", epochs=10**6, seed=SLOW)
    page.wait(lambda board: board["running"] and board["epoch"] > 2)
    assert page.act("start", epochs=1) == (202, "")
    assert any("TD_EBUSY" in line for line in page.wait(lambda board: board["log"])["log"])
    assert page.act("pause") == (202, "")
    page.wait(lambda board: board["paused"])
    assert page.act("resume") == (202, "")
    page.wait(lambda board: board["running"] and not board["paused"])
    assert page.act("stop") == (202, "")
    board = page.wait(lambda board: not board["running"] and board["epoch"])
    assert board["epoch"] < 10**6 and not board["ours"] and board["memory"] == []


def test_requests_without_sense_are_refused_with_a_sentence(page):
    assert page.act("start", epochs=0) == (400, "epochs must lie in 1..4294967295, not 0")
    assert page.act("start", epochs="many")[0] == 400
    assert "epochs, rate and seed" in page.act("start", colour=1)[1]
    assert "start, pause, resume, stop, save, pull" in page.act("explode")[1]
    assert page.act("stop", index=7) == (400, "there is no board number 7")
    bearer = {"Authorization": f"Bearer {page.token}"}
    for body in ("[]", "{", "\0", "9" * 20_000):
        status, text = page.ask("/api/boards/0/stop", "POST", body, **bearer)
        assert status == 400 and "error" in text


def test_a_board_that_is_unplugged_is_shown_so_and_comes_back(page, board):
    page.wait(lambda told: told["up"])
    board.unplug()
    told = page.wait(lambda told: not told["up"])
    assert "check cable" in told["why"] or "does not exist" in told["why"]
    board.plug()
    page.wait(lambda told: told["up"])


def test_ctrl_c_ends_the_page_while_it_is_watched_and_not_the_training(page, board):
    page.wait(lambda told: told["up"])
    page.act("start", epochs=10**6, seed=SLOW)
    stream = page.boards()
    next(told for told in stream if told["epoch"] > 2)
    page.process.send_signal(signal.SIGINT)
    out, err = page.process.communicate(timeout=120)
    assert page.process.returncode == 130 and "Traceback" not in err
    assert board.running()


def test_ports_that_cannot_be_had_are_refused(verb, page, monkeypatch):
    taken = page.host.split(":")[1]
    said = verb("dashboard", "--port", "/dev/ttyX", "--listen", taken)
    refused(said, 2, f"port {taken} of this machine cannot be had")
    refused(verb("dashboard", "--port", "sim"), 2, "tinydream train --port sim")
    monkeypatch.setattr("tinydream.cli.watching.port_names", lambda: ["/dev/a", "/dev/b"])
    refused(verb("dashboard"), 2, "serial ports here: /dev/a, /dev/b", "--port native")


# ---- the page ----


@pytest.mark.slow
@pytest.mark.needs("chromium")
def test_the_page_in_a_browser(learning):
    page, run = learning
    with Browser() as browser:
        browser.go(page.address)
        browser.wait("document.querySelector('[name=start]:enabled')")
        assert browser.run("document.querySelector('[name=epochs]').value") == "8"
        browser.run("document.querySelector('[name=start]').click()")
        browser.wait("document.querySelector('.confusion')")
        count = browser.run("[...document.querySelectorAll('td.hit')].map(x => +x.textContent)")
        simulator, rows = Simulator(run.plan()), run.heldout()
        simulator.train(**run.knobs("plan.json").as_dict())
        right = simulator.predict(rows.X) == rows.y
        assert sum(count) == right.sum()
        assert browser.run("document.querySelectorAll('#curves canvas').length") == 2
        assert browser.run("document.querySelectorAll('.region').length") == 2
        browser.run("document.querySelector('[name=pull]').click()")
        browser.wait("document.querySelector('[data-is=log]').textContent.includes('weights.npz')")
        assert run.has("weights.npz")
        own = json.dumps({"temperature": [[1, 2, 3], [20.5, 21, 23]], "level": [[2, 3], [1, -4]]})
        browser.run(f"take({{...boards.get(0), own: {own}}})")  # as firmware with channels has it
        assert browser.run("document.querySelectorAll('#curves canvas').length") == 3
        assert browser.run("document.querySelector('#own .u-legend').textContent.match(/level/g)")
        light = browser.run("getComputedStyle(document.body).backgroundColor")
        browser.dark(True)
        browser.wait(f"getComputedStyle(document.body).backgroundColor !== '{light}'")
        browser.resize(390, 800)
        browser.wait("document.documentElement.scrollWidth <= 390")
        assert browser.errors == []
