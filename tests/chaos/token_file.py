"""An invalid token file while gunicorn's workers are replaced: revoked tokens must remain revoked."""

import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import requests

from lens_perf.access.current_tokens import CHECK_SECONDS
from lens_perf.access.token_file import create_token, revoke_token
from tests.access.damages import DAMAGES, remove
from tests.benchmarks.gunicorn_process import run_gunicorn
from tests.chaos.finding import Finding
from tests.chaos.world import SMALL, Answer, World, list_children
from tests.faults import wait_until

ROUNDS = 3
# A request may wait until a killed worker has a successor.
BOUND = 5.0
WORKERS = 2
CALLERS = 4
# A request has no status if its worker is killed.
DROPPED = 0


def damage_token_file(world: World) -> Finding:
    """Revoke a token, damage the file in each way, replace the workers by SIGKILL and by SIGHUP, and ask meanwhile."""
    finding = Finding("token file damaged, workers replaced", BOUND)
    settings, tokens = world.settings.with_name("with_tokens.toml"), world.settings.with_name("tokens.toml")
    settings.write_text(f'{world.settings.read_text("utf-8")}\n[access]\ntoken_file = "{tokens}"\n', "utf-8")
    create_token(tokens, "of-the-start", [])
    with run_gunicorn("wsgi:app", {"LENS_PERF_CONFIG": str(settings)}) as service:
        guarded = replace(world, address=f"http://127.0.0.1:{service.port}", service=service)
        for _ in range(ROUNDS):
            for how in DAMAGES:
                for sent in (signal.SIGKILL, signal.SIGHUP):
                    _damage_once(guarded, finding, tokens, how, sent)
                    finding.tried += 1
        finding.notes = [f"{len(DAMAGES)} kinds of damage, {ROUNDS} rounds, SIGKILL and SIGHUP"]
    return finding


def _damage_once(world: World, finding: Finding, tokens: Path, how: str, sent: signal.Signals) -> None:
    revoked, kept = (create_token(tokens, f"{name}-{finding.tried}", []) for name in ("revoked", "kept"))
    wait_until(lambda: {answer.status for answer in _ask(world, [revoked, kept] * 5)} == {200})
    revoke_token(tokens, f"revoked-{finding.tried}")
    # One worker knows that the token is revoked; the other may need another second.
    wait_until(lambda: _ask_once(world, revoked).status == 401)
    DAMAGES[how](tokens)
    time.sleep(CHECK_SECONDS)
    before = set(list_children(world.service.pid))
    for pid in before if sent == signal.SIGKILL else [world.service.pid]:
        os.kill(pid, sent)
    end = time.monotonic() + 20
    while time.monotonic() < end and not _are_replaced(world, before):
        _judge(world, finding, revoked, kept, {DROPPED})
    finding.expect(_are_replaced(world, before), "workers were not replaced")
    _judge(world, finding, revoked, kept, set())
    remove(tokens)
    started = time.monotonic()
    new = create_token(tokens, "new", [])
    wait_until(lambda: {answer.status for answer in _ask(world, [new] * 10)} == {200})
    finding.recovered = max(finding.recovered or 0.0, time.monotonic() - started)


def _are_replaced(world: World, before: set[int]) -> bool:
    now = set(list_children(world.service.pid))
    return len(now) == WORKERS and not now & before


def _judge(world: World, finding: Finding, revoked: str, kept: str, also: set[int]) -> None:
    for secret, right in ((revoked, {401}), (kept, {200})):
        answers = [replace(each, is_right=each.status in right | also) for each in _ask(world, [secret] * 10)]
        world.judge(finding, answers)


def _ask(world: World, secrets: Sequence[str]) -> list[Answer]:
    with ThreadPoolExecutor(CALLERS) as threads:
        return list(threads.map(lambda secret: _ask_once(world, secret), secrets))


def _ask_once(world: World, secret: str) -> Answer:
    started = time.monotonic()
    try:
        address = f"{world.address}{SMALL}&cluster=alpha"
        status = requests.get(address, headers={"Authorization": f"Bearer {secret}"}, timeout=60).status_code
    except requests.ConnectionError:
        status = DROPPED
    return Answer(status, time.monotonic() - started, is_right=True)
