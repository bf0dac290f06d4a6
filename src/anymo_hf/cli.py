# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The command `anymo`: thin over the functions of the package."""

import argparse
import re
import shlex
import sys

from anymo_hf.cli_app import add_app_command
from anymo_hf.cli_evaluate import add_evaluate_command
from anymo_hf.cli_export import add_export_command
from anymo_hf.cli_hub import add_hub_commands
from anymo_hf.cli_language import add_language_commands, add_recording_options, recording_options
from anymo_hf.cli_messages import name_options, short_warnings
from anymo_hf.version import __version__


def main(argv: list[str] | None = None) -> int:
    """Runs a command; returns 0, or 1 after printing what went wrong."""
    args = make_parser().parse_args(argv)
    try:
        with short_warnings(args):
            return args.run(args) or 0
    except (ValueError, OSError, ImportError) as error:
        # These say what was expected, what came and what to do; a traceback would bury it.
        print(f"anymo {args.command}: {name_options(str(error), args)}", file=sys.stderr)
        return 1


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(prog="anymo", description="Wearable inertial sensors and language.")
    parser.add_argument("--version", action="version", version=f"anymo-hf {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_demo(commands)
    _add_simulate(commands)
    _add_inspect(commands)
    add_language_commands(commands)
    add_evaluate_command(commands)
    add_hub_commands(commands)
    add_export_command(commands)
    add_app_command(commands)
    for command in commands.choices.values():
        command.set_defaults(options=frozenset(re.findall(r"--[a-z-]+", command.format_usage())))
    return parser


def _add_demo(commands) -> None:
    demo = commands.add_parser(
        "demo", help="simulate sensors for a motion, let a model read them, and show all in an HTML page"
    )
    demo.add_argument("path", nargs="?", help="a motion file; without one, a built-in walk, sit-down and wave")
    demo.add_argument("--model", help="checkpoint that reads the sensors (default: the folder anymo, if there is one)")
    demo.add_argument("--out", default="anymo_demo.html", help="the page to write (default: %(default)s)")
    demo.set_defaults(run=run_demo_command)


def _add_simulate(commands) -> None:
    simulate = commands.add_parser(
        "simulate", help="turn motion files into a data set of simulated sensors", description=run_simulate.__doc__
    )
    simulate.add_argument("paths", nargs="+", metavar="IN", help="motion files, or folders of them; paths or URLs")
    simulate.add_argument("out", metavar="OUT", help="folder of the data set: path or URL, such as s3://bucket/imu")
    simulate.add_argument("--kinematics", action="store_true", help="store the segments' kinematics, not sensors")
    simulate.add_argument("--placements", help='names with commas between, such as "left wrist, right trouser pocket"')
    simulate.add_argument(
        "--num-placements", type=int, default=2374, help="sensors spread over the body without names"
    )
    simulate.add_argument("--errors", default="ideal", help="ideal, phone, watch, aria_gen1, xsens or lab")
    simulate.add_argument("--mounting", action="store_true", help="turn every sensor at random")
    simulate.add_argument("--no-gravity", action="store_true", help="linear acceleration in place of specific force")
    simulate.add_argument("--seed", type=int, default=0)
    simulate.add_argument("--rate", type=float, default=60.0, help="frames per second (default: %(default)g)")
    simulate.add_argument("--cutoff", type=float, help="low-pass in hertz (default: 20, less for slow recordings)")
    simulate.add_argument("--joint-map", help="JSON file {segment: joint} for a skeleton the readers do not know")
    simulate.add_argument("--num-proc", type=int, default=1, help="processes")
    simulate.add_argument("--ray", metavar="ADDRESS", help="Ray cluster: auto, local, host:6379 or ray://host:10001")
    simulate.set_defaults(run=run_simulate)


def _add_inspect(commands) -> None:
    inspect = commands.add_parser(
        "inspect", help="say what a sensor recording seems to be", description=run_inspect.__doc__
    )
    inspect.add_argument("path", help="CSV or Parquet file, or a Sensor Logger folder")
    add_recording_options(inspect)
    inspect.add_argument("--calibrate", action="store_true", help="find the sensors' up direction from walking")
    inspect.add_argument("--plot", help="picture to write (default: FILE_inspection.png in this folder)")
    inspect.set_defaults(run=run_inspect)


def run_demo_command(args: argparse.Namespace) -> None:
    """Writes the demonstration page."""
    from pathlib import Path

    from anymo_hf.demo import run_demo
    from anymo_hf.pipelines import DEFAULT_MODEL

    # Without a folder of that name nothing is fetched unasked.
    model = args.model or (DEFAULT_MODEL if Path(DEFAULT_MODEL, "config.json").exists() else None)
    print(f"Wrote {run_demo(args.path, out=args.out, model=model)}")


def run_simulate(args: argparse.Namespace) -> int:
    """Motion files become Parquet with a card. A killed run goes on where it was; files that fail are listed."""
    write = _choose_writer(args)
    config = {}
    if not args.kinematics:
        names = args.placements.split(",") if args.placements else ()
        config = {
            "placements": tuple(name.strip() for name in names),
            "num_placements": args.num_placements,
            "errors": args.errors,
            "mounting": args.mounting,
            "gravity": not args.no_gravity,
            "seed": args.seed,
        }
    report = write(
        args.paths,
        args.out,
        config_name="kinematics" if args.kinematics else "dense",
        sampling_rate=args.rate,
        cutoff=args.cutoff,
        joint_map=args.joint_map,
        command=shlex.join(["anymo", *sys.argv[1:]]),
        **config,
    )
    print(report)
    print(f"Wrote {args.out}")
    return 1 if report.failures else 0


def _choose_writer(args: argparse.Namespace):
    """One machine and its disk, several machines, or other storage than a disk."""
    import functools

    if args.ray is not None:
        from anymo_hf.simulation.ray_jobs import simulate_on_ray

        return functools.partial(simulate_on_ray, address=args.ray)
    if any("://" in path for path in [args.out, *args.paths]):
        from anymo_hf.simulation.shards import write_shards

        return functools.partial(write_shards, num_proc=args.num_proc)
    from anymo_hf.simulation.dataset_folder import write_dataset

    return functools.partial(write_dataset, num_proc=args.num_proc)


def run_inspect(args: argparse.Namespace) -> None:
    """Units, gravity, rate, gaps, clipping and stillness of a recording as its readings show them, and a picture."""
    from pathlib import Path

    from anymo_hf.inspection_plot import plot_inspection
    from anymo_hf.processing.calibration_anymo import calibrate
    from anymo_hf.processing.inspection_anymo import inspect_recording
    from anymo_hf.processing.reading_anymo import read_recording

    recording = read_recording(args.path, **recording_options(args))
    report = inspect_recording(recording)
    print(name_options(str(report), args))
    if args.calibrate:
        for sensor in calibrate(recording).sensors:
            quality = ", ".join(f"{name} {value:.3g}" for name, value in sensor.calibration_quality.items())
            print(f"{sensor.placement}: calibration {sensor.calibration}{f' ({quality})' if quality else ''}")
    plot = Path(args.plot or f"{Path(args.path).stem}_inspection.png")
    plot_inspection(report).savefig(plot)
    print(f"Wrote {plot}")


if __name__ == "__main__":
    sys.exit(main())
