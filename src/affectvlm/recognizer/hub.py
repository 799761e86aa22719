"""A model written out for others: into a folder, or into a repository on the hub of Hugging Face, with its card."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from affectvlm.errors import ModelError, in_one_line
from affectvlm.files import written_whole
from affectvlm.model_files import CARD, CONFIG, EXPORTED, FORMS, MODEL_FILES, RECORD, refuse_strangers
from affectvlm.recognizer.encoder import Encoder
from affectvlm.recognizer.model_card import MARK, render_card
from affectvlm.recognizer.model_facts import ModelFacts
from affectvlm.recognizer.training_record import TrainingRecord


def save_to_folder(encoder: Encoder, origin: Path | None, folder: Path) -> None:
    """Write a model with its card into a folder.

    A model that is there gives way, once the new one is whole, in both of its forms: what is left of an older one would
    answer otherwise. Other files stay, and so does a card that somebody has
    made his own, by taking away the line that says who wrote it.

    Parameters
    ----------
    encoder : Encoder
    origin : Path, optional
        Where the model lies; the record of its training there goes into the card.
    folder : Path
        Made if it is not there.

    Raises
    ------
    ModelError
        The folder holds files of these names that are no model of this kind, or it cannot be written to.
    """
    record = _record(origin)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".unfinished-") as unfinished:
            made = Path(unfinished) / folder.resolve().name
            made.mkdir()
            _write(encoder, record, made, made.name)
            refuse_strangers(folder, [file.name for file in made.iterdir()])
            if (folder / CARD).exists() and _is_own(folder / CARD):
                (made / CARD).unlink()
            for name in (*FORMS, RECORD):
                if not (made / name).exists():
                    (folder / name).unlink(missing_ok=True)  # of the model that was here before
            # The descriptions last: each says which weights it belongs to.
            for file in sorted(made.iterdir(), key=lambda file: file.name in (CONFIG, EXPORTED)):
                file.replace(folder / file.name)
    except OSError as error:
        raise ModelError(f"{folder}: cannot write the model ({error.strerror}); choose another folder") from error


def push(encoder: Encoder, origin: Path | None, repo_id: str, private: bool | None, token: str | None) -> str:
    """Write a model with its card into a repository, which is made if it is not there, and give its address.

    What is left there of an older model is taken away; other files stay, and so does a card of somebody's own.

    Raises
    ------
    ModelError
        The hub cannot be reached, or refuses.
    """
    from huggingface_hub import HfApi

    record = _record(origin)
    with TemporaryDirectory(prefix="affectvlm-") as temporary:
        made = Path(temporary) / repo_id.rpartition("/")[2]
        made.mkdir()
        _write(encoder, record, made, repo_id)
        try:
            api = HfApi(token=token)
            repository = api.create_repo(repo_id, private=private, exist_ok=True)
            own_card = api.file_exists(repository.repo_id, CARD) and _is_own(
                Path(api.hf_hub_download(repository.repo_id, CARD))
            )
            names = [name for name in MODEL_FILES if not (name == CARD and own_card)]
            api.upload_folder(
                repo_id=repository.repo_id,
                folder_path=made,
                allow_patterns=names,
                delete_patterns=names,
                commit_message="Write the model with affectvlm",
            )
        except Exception as error:  # of the hub's client, and of the HTTP library beneath it, which changes
            raise ModelError(
                f"{repo_id}: the hub did not take the model ({in_one_line(str(error).partition(chr(10))[0])}); check "
                "the name and the network, and log in with `hf auth login` or give a token that may write"
            ) from error
    return str(repository)


def _record(origin: Path | None) -> TrainingRecord | None:
    return None if origin is None else TrainingRecord.read(origin / RECORD)


def _write(encoder: Encoder, record: TrainingRecord | None, folder: Path, source: str) -> None:
    """Write the model's files into an empty folder, then the card that describes them."""
    encoder.save(folder)
    if record is not None:
        record.write(folder / RECORD)
    with written_whole(folder / CARD) as path:
        path.write_text(render_card(ModelFacts.of(folder), record, source), "utf-8")


def _is_own(card: Path) -> bool:
    """Whether somebody has made a card his own."""
    return MARK not in card.read_text("utf-8", "replace")
