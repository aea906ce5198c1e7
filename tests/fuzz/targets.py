"""All fuzz targets by name. A target accepts any bytes and raises when a rule is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import answers, http_requests, messages, model, plan, reader

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Target:
    """`run` returns what was seen; two inputs with the same result are equivalent. `tokens` feed mutation."""

    name: str
    run: Callable[[bytes], object]
    tokens: tuple[bytes, ...]

    def corpus(self) -> Iterator[Path]:
        """The stored inputs."""
        yield from sorted(path for path in (CORPUS / self.name).glob("*") if path.is_file())


TARGETS = {
    name: Target(name, module.run, module.TOKENS)
    for name, module in {
        "reader": reader,
        "model": model,
        "plan": plan,
        "messages": messages,
        "answers": answers,
        "requests": http_requests,
    }.items()
}
