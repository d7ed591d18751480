"""What every test shares: Hypothesis profiles, the seed, and the recordings beside the checkout.

`XENCHECK_PROFILE` chooses how long Hypothesis looks: `dev` (the default: quick, a new seed each time), `ci`
(repeatable; the default where `CI=true`) and `deep` (by hand). Whatever the profile, the first lines say
which seed and the last ones how to run the same again.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

ROOT: Final = Path(__file__).resolve().parent.parent
SHARED: Final = ROOT.parent / "shared"

settings.register_profile("dev", max_examples=50, stateful_step_count=30, print_blob=True, deadline=None)
settings.register_profile(
    "ci",
    max_examples=200,
    stateful_step_count=50,
    print_blob=True,
    deadline=None,
    derandomize=True,
    database=None,
)
settings.register_profile(
    "deep",
    max_examples=20_000,
    stateful_step_count=200,
    print_blob=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def profile_from(environment: dict[str, str]) -> str:
    """Name the Hypothesis profile that an environment asks for."""
    return environment.get("XENCHECK_PROFILE") or ("ci" if environment.get("CI") == "true" else "dev")


PROFILE: Final = profile_from(dict(os.environ))
settings.load_profile(PROFILE)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed here, so that it is known before anything fails."""
    if config.getoption("hypothesis_seed", None) is None:
        config.option.hypothesis_seed = str(random.SystemRandom().randrange(2**32))


def pytest_report_header(config: pytest.Config) -> str:
    """Say how Hypothesis will look, also when all goes well."""
    return _how(config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how to run the same again, if anything failed."""
    if terminalreporter.stats.get("failed"):
        terminalreporter.write_line(f"again: XENCHECK_PROFILE={PROFILE} pytest {_seed(config)} TEST")


def _how(config: pytest.Config) -> str:
    seed = "repeatable (each test derives its own)" if PROFILE == "ci" else _seed(config)
    return f"hypothesis profile: {PROFILE}, seed: {seed}"


def _seed(config: pytest.Config) -> str:
    return f"--hypothesis-seed={config.getoption('hypothesis_seed')}"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the folder of recordings and oracle answers beside the checkout, or skip."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside the checkout: the recordings that this test reads are not here")
    return SHARED
