"""README's table of the keys of model and training, from the schema: ``python -m src.config.keys`` prints its rows."""

from collections.abc import Iterator

from pydantic import BaseModel

from src.config.messages import kind_of, shown
from src.config.schema import EarlyStoppingConfig, ModelConfig, TrainingConfig

SECTIONS: dict[str, type[BaseModel]] = {
    "model": ModelConfig,
    "training": TrainingConfig,
    "training.early_stopping": EarlyStoppingConfig,
}


def rows() -> Iterator[str]:
    """A row of a Markdown table for each key: its meaning, what it may be, its default."""
    for prefix, section in SECTIONS.items():
        for name, field in section.model_fields.items():
            if f"{prefix}.{name}" not in SECTIONS and name != "name":
                kind, default = kind_of(field.rebuild_annotation()), field.default
                allowed = ", ".join(f"`{word}`" for word in kind.choices) or kind.text
                shown_default = default if isinstance(default, str) else shown(default)
                yield f"| `{prefix}.{name}` | {field.description}; {allowed} | `{shown_default}` |"


if __name__ == "__main__":
    print("\n".join(rows()))
