# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Assembles a Hub folder, a checkpoint with a card and the code that loads it without this package, and pushes it."""

import contextlib
import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import transformers
from filelock import FileLock, Timeout
from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import validate_repo_id
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

import anymo_hf
from anymo_hf.hub_card import is_written_card, write_card


# What of a checkpoint is shared: never pickles, never the state of a training run.
SHARED_SUFFIXES = {".json", ".jinja", ".md", ".png", ".safetensors", ".txt", ".yaml"}
NOT_SHARED = {"trainer_state.json"}
# Folders in which pushes put together what they upload begin so, and the locks beside them.
TEMPORARY_NAME = "anymo-push-"
CODE_FOLDERS = ("modeling", "processing")
CONFIG_NAMES = ("config.json", "preprocessor_config.json", "processor_config.json", "tokenizer_config.json")
# Parts of the whole model that also lie in folders of their own, with class and model type.
PARTS = {
    "graph_encoder": ("AnyMoGraphEncoder", "anymo_graph_encoder"),
    "motion_tokenizer": ("AnyMoPQTokenizer", "anymo_pq_tokenizer"),
}
# Which class each Auto class loads, by the model type that a configuration names.
AUTO_MAPS = {
    "anymo_graph_encoder": {
        "AutoConfig": "configuration_anymo.AnyMoGraphEncoderConfig",
        "AutoModel": "modeling_anymo_graph_encoder.AnyMoGraphEncoder",
        "AutoModelForPreTraining": "modeling_anymo_heads.AnyMoGraphEncoderForPreTraining",
        "AutoModelForSequenceClassification": "modeling_anymo_heads.AnyMoGraphEncoderForSequenceClassification",
    },
    "anymo_pq_tokenizer": {
        "AutoConfig": "configuration_anymo.AnyMoPQTokenizerConfig",
        "AutoModel": "modeling_anymo_pq_tokenizer.AnyMoPQTokenizer",
    },
    "anymo": {
        "AutoConfig": "configuration_anymo.AnyMoConfig",
        "AutoModel": "modeling_anymo.AnyMoModel",
        "AutoModelForCausalLM": "modeling_anymo.AnyMoForCausalLM",
    },
}
FEATURE_EXTRACTOR_AUTO_MAP = {"AutoFeatureExtractor": "feature_extraction_anymo.AnyMoFeatureExtractor"}
PROCESSOR_AUTO_MAP = {"AutoProcessor": "processing_anymo.AnyMoProcessor"}

# Entries that make transformers fetch or import code; ours are added anew.
NAMES_OF_CODE = ("auto_map", "custom_pipelines", "attn_implementation", "_attn_implementation")


def assemble(checkpoint: str | Path, folder: str | Path) -> list[Path]:
    """
    Copies a checkpoint and adds code and `auto_map`, so that `trust_remote_code=True` loads it without this package.

    Args:
        checkpoint (`str` or `Path`):
            Folder that `save_pretrained` or `Trainer` wrote, or one with such folders in it, `graph_encoder/` for
            instance. The whole model gets copies of its parts in `graph_encoder/` and `motion_tokenizer/`, an encoder
            a feature extractor, where they are missing.
        folder (`str` or `Path`):
            Where the result goes; it must not exist yet, or be empty. The code lies at its top, once.

    Returns:
        `list[Path]`: The files written, relative to `folder`.

    Raises:
        ValueError: If there is no checkpoint of this package, or something stands in `folder`.
    """
    checkpoint, folder = Path(checkpoint), Path(folder)
    configs = find_configs(checkpoint)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(
            f"{folder} is not empty; choose a new folder, so that nothing of another checkpoint goes along."
        )
    for path in configs:
        _copy_checkpoint(path.parent, folder / path.parent.relative_to(checkpoint))
    if configs.get(checkpoint / "config.json") == "anymo":
        for name in PARTS:
            _add_part(folder, name)
    for path in find_configs(folder):
        _add_feature_extractor(path)
    package = Path(anymo_hf.__file__).parent
    for name in CODE_FOLDERS:
        for path in sorted((package / name).glob("*_anymo*.py")):
            shutil.copyfile(path, folder / path.name)
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def find_configs(checkpoint: Path) -> dict[Path, str]:
    """
    Every model in a folder and one folder below: the path of its `config.json` and its type.

    Raises:
        ValueError: If there is none, or one of another package, or one without weights.
    """
    paths = [checkpoint / "config.json", *sorted(checkpoint.glob("*/config.json"))]
    # Where a training run can go on from is nobody else's business.
    paths = [path for path in paths if path.is_file() and not path.parent.name.startswith("checkpoint-")]
    if not paths:
        raise ValueError(f"There is no config.json in {checkpoint} nor one folder below; give a saved checkpoint.")
    types = {path: _read_json(path).get("model_type") for path in paths}
    for path, model_type in types.items():
        if not isinstance(model_type, str) or model_type not in AUTO_MAPS:
            raise ValueError(f"{path} is of type {model_type!r}, but must be one of {', '.join(AUTO_MAPS)}.")
        if not any(path.parent.glob("*.safetensors")):
            raise ValueError(
                f"There are no weights (*.safetensors) in {path.parent}; save the model with `save_pretrained`, other "
                "formats are not shared."
            )
    return types


def check_loads(folder: str | Path) -> None:
    """
    Loads every model of an assembled folder, and what prepares its inputs.

    Raises:
        ValueError: If weights are damaged or do not fit their configuration, or the whole model has no processor.
    """
    for path, model_type in find_configs(Path(folder)).items():
        try:
            _, report = _find_class(path, model_type).from_pretrained(
                path.parent, dtype="auto", output_loading_info=True, local_files_only=True
            )
        except Exception as error:  # damaged files of others cause any
            raise ValueError(f"{path.parent} does not load ({_first_line(error)}); save the model again.") from error
        wrong = sorted(report["missing_keys"]) + sorted(report["unexpected_keys"])
        if wrong:
            raise ValueError(
                f"The weights in {path.parent} do not fit its config.json: {len(wrong)} tensors are missing or "
                f"have no place, {wrong[0]} for one; save model and configuration together."
            )
        if model_type == "anymo":
            if not (path.parent / "processor_config.json").is_file():
                raise ValueError(
                    f"There is no processor_config.json in {path.parent}; save the processor there too, without it "
                    "nobody can prepare inputs."
                )
            try:
                transformers.AutoProcessor.from_pretrained(path.parent, local_files_only=True)
            except Exception as error:  # of tokenizers, for one, nothing more special
                raise ValueError(
                    f"The processor in {path.parent} does not load ({_first_line(error)}); save it again."
                ) from error


def _find_class(config: Path, model_type: str) -> type:
    """What loads a checkpoint: the name in its configuration is looked up among our own, never imported."""
    classes = {entry.split(".")[1]: getattr(transformers, auto) for auto, entry in AUTO_MAPS[model_type].items()}
    classes["AnyMoSignalDecoder"] = anymo_hf.AnyMoSignalDecoder
    name = (_read_json(config).get("architectures") or [""])[0]
    return classes.get(name, transformers.AutoModel)


def push(
    checkpoint: str | Path,
    repo_id: str,
    private: bool = False,
    revision: str | None = None,
    token: str | None = None,
    results: str | Path | None = None,
    data: Sequence[str | Path] = (),
    dry_run: bool = False,
) -> dict[str, int]:
    """
    Assembles a checkpoint, sees that it loads, writes its card and uploads it.

    Args:
        checkpoint (`str` or `Path`):
            As in `assemble`. A `README.md` in it stays; only metadata that it lacks is added.
        repo_id (`str`):
            Owner and name on the Hub; made if it does not exist.
        private (`bool`, *optional*, defaults to `False`):
            Whether a new repository is private.
        revision (`str`, *optional*, defaults to `None`):
            An existing branch; `None` is `main`.
        token (`str`, *optional*, defaults to `None`):
            Of the Hub; `None` takes the one that `hf auth login` or `HF_TOKEN` left.
        results (`str` or `Path`, *optional*, defaults to `None`):
            `results.jsonl`; the figures measured on these very weights go into the card.
        data (`Sequence[str | Path]`, *optional*, defaults to `()`):
            Folders of converted motion it was trained on; their sources and licences go into the card.
        dry_run (`bool`, *optional*, defaults to `False`):
            Do all but upload.

    Returns:
        `dict[str, int]`: Every file with its size in bytes.

    Raises:
        ValueError: If the checkpoint, the name, the token or the branch is not right, or the connection broke.
    """
    _check_name(repo_id)
    if not dry_run and (token := token or get_token()) is None:
        raise ValueError("There is no token for the Hub; pass `--token`, set HF_TOKEN or run `hf auth login`.")
    with _temporary_folder() as folder:
        assemble(checkpoint, folder)
        check_loads(folder)
        write_card(folder, repo_id, find_configs(folder), results, data)
        files = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
        if not dry_run:
            _upload(folder, repo_id, private, revision, token)
    return dict(sorted(files.items()))


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder until the push has ended; what pushes that were killed have left of theirs goes too."""
    place = Path(tempfile.gettempdir())
    for path in place.glob(f"{TEMPORARY_NAME}*.lock"):
        _remove_unless_in_use(path)
    folder = place / f"{TEMPORARY_NAME}{uuid.uuid4().hex}"
    # The system lets go of a lock whose process is dead, however it died.
    lock = FileLock(f"{folder}.lock")
    try:
        with lock:
            folder.mkdir(mode=0o700)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        Path(lock.lock_file).unlink(missing_ok=True)


def _remove_unless_in_use(lock_file: Path) -> None:
    """The folder beside a lock that nobody holds; those of other users stay."""
    with contextlib.suppress(Timeout, OSError), FileLock(lock_file, timeout=0):
        shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
        lock_file.unlink(missing_ok=True)


def _check_name(repo_id: str) -> None:
    try:
        validate_repo_id(repo_id)
        valid = repo_id.count("/") == 1
    except HFValidationError:
        valid = False
    if not valid:
        raise ValueError(
            f"A repository is named ORG/NAME, of letters, digits, '-', '_' and '.', but {repo_id!r} was given."
        )


def _upload(folder: Path, repo_id: str, private: bool, revision: str | None, token: str) -> None:
    """One upload of all; a card on the Hub that a person wrote stays."""
    api = HfApi(token=token, library_name="anymo-hf", library_version=anymo_hf.__version__)
    with _told_in_one_sentence(repo_id):
        if revision is not None:
            _check_branch(api, repo_id, revision)
        api.create_repo(repo_id, private=private, exist_ok=True)
        if private and not api.repo_info(repo_id).private:
            raise ValueError(
                f"{repo_id} is public already; make it private in its settings, choose another name, or push without "
                "`--private`."
            )
        ignored = ["README.md"] if _has_own_card(api, repo_id, revision) else None
        api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            revision=revision,
            commit_message=f"Upload with anymo-hf {anymo_hf.__version__}",
            ignore_patterns=ignored,
            # Code that has been renamed since must not stay beside the new.
            delete_patterns=["*_anymo*.py"],
        )


def _check_branch(api: HfApi, repo_id: str, revision: str) -> None:
    try:
        branches = [branch.name for branch in api.list_repo_refs(repo_id).branches]
    except RepositoryNotFoundError:
        branches = []
    if revision not in branches:
        raise ValueError(
            f"There is no branch {revision!r} in {repo_id} ({', '.join(branches) or 'no such repository is seen'}); "
            f"make it with `hf repos branch create {repo_id} {revision}`, or push to `main` without `--revision`."
        )


def _has_own_card(api: HfApi, repo_id: str, revision: str | None) -> bool:
    if not api.file_exists(repo_id, "README.md", revision=revision):
        return False
    with tempfile.TemporaryDirectory() as temporary:
        path = api.hf_hub_download(repo_id, "README.md", revision=revision, local_dir=temporary)
        return not is_written_card(Path(path).read_text(encoding="utf-8"))


@contextlib.contextmanager
def _told_in_one_sentence(repo_id: str) -> Iterator[None]:
    """What the Hub refuses, in words that say what to do."""
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise ValueError(f"Pushing to {repo_id} needs the network, but HF_HUB_OFFLINE is set; unset it.") from error
    except HfHubHTTPError as error:
        if error.response.status_code in (401, 403, 404):
            raise ValueError(
                f"The Hub refused to write to {repo_id} ({_first_line(error)}); give a token that may write there."
            ) from error
        raise ValueError(f"The Hub could not take {repo_id}: {_first_line(error)}; try again later.") from error
    except (HTTPError, RuntimeError) as error:
        # huggingface_hub wraps what broke an upload in a RuntimeError.
        raise ValueError(
            f"The connection broke while pushing to {repo_id} ({_first_line(error.__cause__ or error)}); run the same "
            "command again, what has arrived is not sent twice."
        ) from error


def _first_line(error: BaseException) -> str:
    text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text.strip().rstrip(".:")


def _read_json(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON ({error}); save the checkpoint again.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object, but holds a {type(content).__name__}; save it again.")
    return content


def _get_object(content: dict, name: str, where: str | Path) -> dict:
    """An object within a configuration, to be changed."""
    if not isinstance(content.get(name), dict):
        raise ValueError(f"{where} must hold an object `{name}`, but holds {content.get(name)!r:.40}; save it again.")
    return dict(content[name])


def _copy_checkpoint(source: Path, target: Path) -> None:
    """The files of one model, its configurations with an `auto_map`."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        if not path.is_file() or path.suffix not in SHARED_SUFFIXES or path.name in NOT_SHARED:
            continue
        if path.name in CONFIG_NAMES:
            _write_json(target / path.name, _with_auto_map(path.name, _read_json(path)))
        else:
            shutil.copyfile(path, target / path.name)


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _with_auto_map(name: str, content: dict) -> dict:
    """A configuration that says which class of which file it is for, and names no other code."""
    content = {key: value for key, value in content.items() if key not in NAMES_OF_CODE}
    if name == "config.json":
        return content | {"auto_map": AUTO_MAPS[content["model_type"]]}
    if name == "preprocessor_config.json":
        return content | {"auto_map": FEATURE_EXTRACTOR_AUTO_MAP}
    if name == "processor_config.json":
        extractor = _get_object(content, "feature_extractor", name) | {"auto_map": FEATURE_EXTRACTOR_AUTO_MAP}
        return content | {"auto_map": PROCESSOR_AUTO_MAP, "feature_extractor": extractor}
    return content


def _add_part(folder: Path, name: str) -> None:
    """A part of the whole model in a folder of its own; one that lies there must hold the same weights."""
    tensors = _read_part(folder, name)
    target = folder / name
    if target.exists():
        there = {key: tensor for path in target.glob("*.safetensors") for key, tensor in _read_tensors(path, "")}
        if any(key not in there or not torch.equal(there[key].to(t.dtype), t) for key, t in tensors.items()):
            raise ValueError(
                f"{name}/ holds other weights than the whole model beside it; delete the folder to have it made anew."
            )
        return
    target.mkdir()
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    whole = _read_json(folder / "config.json")
    architecture, model_type = PARTS[name]
    config = _get_object(whole, f"{name}_config", folder / "config.json")
    config |= {"architectures": [architecture], "model_type": model_type, "dtype": whole.get("dtype")}
    _write_json(target / "config.json", _with_auto_map("config.json", config))


def _read_part(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """Tensors of a part as they stand in the whole, where the base model may be below `model.`."""
    paths = sorted(folder.glob("*.safetensors"))
    for prefix in (f"model.{name}.", f"{name}."):
        tensors = {key.removeprefix(prefix): tensor for path in paths for key, tensor in _read_tensors(path, prefix)}
        if tensors:
            return tensors
    raise ValueError(f"The weights hold no {name}; save the whole model with `save_pretrained`.")


def _read_tensors(path: Path, prefix: str) -> Iterator[tuple[str, torch.Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118
                if key.startswith(prefix):
                    yield key, file.get_tensor(key)
    except SafetensorError as error:
        raise ValueError(f"{path.name} is damaged ({error}); save the model again.") from error


def _add_feature_extractor(config: Path) -> None:
    """An encoder that was saved without its feature extractor gets one of its rate; there is nothing else to it."""
    content, path = _read_json(config), config.parent / "preprocessor_config.json"
    if content["model_type"] == "anymo_graph_encoder" and not path.exists():
        extractor = anymo_hf.AnyMoFeatureExtractor(sampling_rate=content.get("sampling_rate", 60))
        _write_json(path, _with_auto_map(path.name, json.loads(extractor.to_json_string())))


__all__ = ["assemble", "check_loads", "push"]
