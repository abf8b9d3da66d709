"""``python -m src.trace``: one update of a network, every number of it, beside the equations of the derivations.

Exit status: 0 it is shown, 2 it cannot be (the reason is told in one sentence).
"""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from src.arguments import Arguments, entry
from src.errors import tell
from src.escaping import masked, readable
from src.language import say
from src.run import ROOT, explain, offer_experiments, quick_parser


@entry
def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Returns the exit status."""
    parser = Arguments(
        "src.trace",
        say("Print one update of a network: every number, by the derivations, the engine and differences."),
        {
            "src.trace": say("one row of ex4, the default network"),
            "src.trace data=iris trace.rows=[0,50,100] training.l2=0.1": say("three rows of iris, with a penalty"),
            "src.trace trace=derivation_1 trace.weight=[8,4]": say("the 3-4-2 network of derivation 1, and its w_84"),
            "src.trace trace=derivation_4 trace.weight=[2,3,2]": say("the 5-4-3 network of derivation 4, and its w_32"),
        },
        say("keys: those of a job (conf/config.yaml) and those of trace (conf/trace.yaml)"),
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help=say("as for src.run"))
    overrides = [readable(argument) for argument in parser.parse_args(arguments).overrides]
    try:
        from hydra import compose, initialize_config_dir
        from rich.console import Console

        offer_experiments(ROOT / "experiments")
        with quick_parser(), initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            _offer_traces()
            config = compose("trace_of_a_job", overrides)

        from src.command.trace import traced_update, write
        from src.report.trace.forms import print_trace
        from src.sweep.compose import plain

        shown = traced_update(plain(config))
        print_trace(Console(), shown)
        for path in write(shown, Path(config.trace.output)):
            print(say("Written to {path}", path=path))
    except Exception as error:
        from src.config.trace import TracedConfig

        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            sys.stderr.write(masked("".join(traceback.format_exception(error))))
        return tell(*explain(error, overrides, TracedConfig))
    return 0


def _offer_traces() -> None:
    """Add the keys of trace to a job's, and make each file of experiments/traces a choice of them."""
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    index = OmegaConf.load(ROOT / "conf" / "config.yaml")
    keys = {"trace": OmegaConf.load(ROOT / "conf" / "trace.yaml")}
    index.defaults.insert(index.defaults.index({"experiments": None}), {"trace": None})  # a named trace over all keys
    ConfigStore.instance().store(name="trace_of_a_job", node=OmegaConf.merge(index, keys))
    for file in (ROOT / "experiments" / "traces").glob("*.yaml"):
        ConfigStore.instance().store(group="trace", name=file.stem, node=OmegaConf.load(file), package="_global_")


if __name__ == "__main__":
    sys.exit(main())
