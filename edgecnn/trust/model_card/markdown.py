"""A model card as Markdown, with the metadata that the hub of Hugging Face reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgecnn.trust.model_card.blocks import Block, Code, Facts, FigureTable, Words
from edgecnn.trust.model_card.content import CardSources, sections, summary
from edgecnn.trust.model_card.metadata import front_matter


def to_markdown(sources: CardSources) -> str:
    """The whole file."""
    parts = [front_matter(sources), f"# {sources.title}", summary(sources)]
    for section in sections(sources):
        parts.append(f"{'#' * section.level} {section.title}")
        parts += [text for block in section.blocks for text in _block(block)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Words):
        yield block.text
    elif isinstance(block, Facts):
        yield "\n".join(f"- **{name}:** {_plain(value)}" for name, value in block.rows)
    elif isinstance(block, Code):
        fence = "`" * max(3, 1 + _longest_fence(block.text))
        yield f"{fence}{block.language}\n{block.text.strip()}\n{fence}"
    else:
        yield f"**{_plain(block.caption)}**"
        yield _table(block)
        yield from map(_plain, block.notes)


def _table(table: FigureTable) -> str:
    lines = [_row(table.heads), _row(["---", *["---:"] * (len(table.heads) - 1)])]
    return "\n".join([*lines, *map(_row, table.rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell if set(cell) <= set('-:') else _plain(cell) for cell in cells)} |"


def _plain(text: str) -> str:
    """A text of a file or a dataset, in one line, with what Markdown would take for a sign of its own escaped."""
    flat = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in flat)


def _longest_fence(text: str) -> int:
    return max((len(line) - len(line.lstrip("`")) for line in text.splitlines()), default=0)
