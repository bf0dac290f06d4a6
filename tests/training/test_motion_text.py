# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Described windows and the batches made of them: literal texts, tokens and labels."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerFast

from anymo_hf import AnyMoFeatureExtractor, AnyMoProcessor, SegmentKinematics, TextSpan, prompts
from anymo_hf.processing.placements_anymo import NAMED_PLACEMENTS, SEGMENTS, get_placement
from anymo_hf.simulation.conversion import save_kinematics
from anymo_hf.simulation.synthesis import random_recording
from anymo_hf.training import motion_text, views
from anymo_hf.training.assembly import prepare_tokenizer
from anymo_hf.training.descriptions import covering_texts
from anymo_hf.training.motion_text import MotionCollator, MotionTextCollator, MotionTextDataset


SPANS = (
    TextSpan(0.0, 6.0, "walk-turn-left", "label"),
    TextSpan(0.0, 6.0, "sad", "style"),
    TextSpan(6.0, 6.4, "A person bows.", "caption"),
    TextSpan(6.4, 13.9, "sitting", "label"),
    TextSpan(6.4, 13.9, "A person sits.", "caption"),
    TextSpan(6.4, 13.9, "Someone is seated.", "caption"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A clip with stretches of 6, 0.4 and 7.5 s, one whose label lists things, one of 0.5 s, one without words."""
    folder = tmp_path_factory.mktemp("converted")
    whole = SegmentKinematics.from_motion(random_recording(0, 14.0))

    def save(name: str, length: int, texts) -> None:
        part = SegmentKinematics(
            whole.values[:length], whole.mask[:length], 60.0, 100.0, source={"dataset": "d", "subject": name}
        )
        part.texts = tuple(TextSpan(text.start + 100, text.end + 100, text.text, text.kind) for text in texts)
        save_kinematics(part, folder / f"{name}.safetensors")

    save("a", 835, SPANS)
    save("b", 120, [TextSpan(0.0, 2.0, "climb, swing", "label"), TextSpan(0.0, 2.0, "normal", "style")])
    save("c", 30, [TextSpan(0.0, 0.5, "bow", "label")])
    save("d", 300, [TextSpan(0.0, 5.0, "old", "style")])
    return folder


def test_stretches_and_their_texts(folder):
    dataset = MotionTextDataset(folder)
    found = [(one.clip.path.stem, one.first_frame, one.num_frames) for one in dataset.stretches]
    # That of 0.4 s, frames 360 to 384, is seen with what surrounds it; a clip without description is left out.
    assert found == [("a", 0, 361), ("a", 342, 60), ("a", 384, 451), ("b", 0, 120), ("c", 0, 30)]
    assert len(dataset) == 2 + 1 + 2 + 1 + 1
    assert dataset.activities == ["bow", "sitting", "walk turn left"]
    assert dataset.captions == [
        "A person bows.", "A person sits.", "Someone is seated.", "bow", "climb, swing", "walk turn left, sad style"
    ]  # fmt: skip
    assert len(MotionTextDataset(folder, described=False).clips) == 4


def test_windows_lie_within_their_stretch_and_say_what_it_says(folder, monkeypatch):
    seen = []
    read_window = views.read_window
    monkeypatch.setattr(
        motion_text, "read_window", lambda path, *window: seen.append(window) or read_window(path, *window)
    )
    dataset = MotionTextDataset(folder, seed=3)
    expected = [(["walk turn left, sad style"], "walk turn left")] * 2 + [None]
    expected += [(["A person sits.", "Someone is seated."], "sitting")] * 2
    expected += [(["climb, swing"], None), (["bow"], "bow")]
    for epoch in range(10):
        dataset.set_epoch(epoch)
        for index, texts in enumerate(expected):
            item = dataset[index]
            assert texts is None or (item["texts"], item["activity"]) == texts
            stretch = dataset.stretches[[0, 0, 1, 2, 2, 3, 4][index]]
            start, length = seen[-1]
            assert stretch.first_frame <= start and start + length <= stretch.first_frame + stretch.num_frames
            assert min(60, stretch.num_frames) <= length <= 300 and item["input_values"].shape == (length, 23, 6)
    assert len(set(seen)) > 20


def test_texts_count_by_what_they_cover():
    texts = [
        TextSpan(0, 4, "one", "label"),
        TextSpan(4, 10, "two", "label"),
        TextSpan(0, 10, "sad", "style"),
        TextSpan(3, 5, "A caption.", "caption"),
    ]
    covering = covering_texts
    assert [text.text for text in covering(texts, 0.5, 2.5)] == ["one", "sad"]
    assert [text.text for text in covering(texts, 3.6, 6.6)] == ["sad", "two"]
    # Half of it is enough; what covers less than half counts only where nothing that describes covers more.
    assert [text.text for text in covering(texts, 3.0, 6.0)] == ["sad", "two", "A caption."]
    assert [text.text for text in covering([texts[2], texts[3]], 4.0, 10.0)] == ["sad", "A caption."]


def test_activities_are_the_same_by_their_words():
    key = motion_text.activity_key
    for one, other in (("walk", "walking"), ("run", "Running"), ("squat", "squatting"), ("wave", "waving")):
        assert key(one) == key(other)
    assert len({key(name) for name in ("walking", "walking upstairs", "standing", "standing up", "lying")}) == 5


def test_few_sensors_with_names_of_their_places(folder):
    dataset = MotionTextDataset(folder, seed=1)
    numbers = set()
    for epoch in range(12):
        dataset.set_epoch(epoch)
        for item in (dataset[i] for i in range(len(dataset))):
            visible = item["input_values_mask"].flatten(2).any(dim=2).any(dim=0).nonzero()[:, 0].tolist()
            segments = [get_placement(name).segment for name in item["placements"]]
            assert sorted(map(SEGMENTS.index, segments)) == visible
            numbers.add(len(visible))
            assert item["input_values"].isfinite().all()
            assert (item["input_values"][~item["input_values_mask"]] == 0).all()
    assert numbers == {1, 2, 3, 4, 5}


def test_the_nearest_name_of_a_place(folder):
    bone_offsets = views.read_window(folder / "a.safetensors", 0, 2).bone_offsets
    offsets, _ = views.surface_placements(bone_offsets.tobytes())
    names = [[motion_text._nearest_name(i, spot, bone_offsets) for spot in spots] for i, spots in enumerate(offsets)]
    forearm, along = SEGMENTS.index("L_Forearm"), offsets[SEGMENTS.index("L_Forearm"), :, 1]
    places = {name: along[[one == name for one in names[forearm]]] for name in set(names[forearm])}
    assert set(places) == {"left elbow", "left forearm", "left wrist"}
    # In the T-pose the left arm runs along y.
    assert places["left elbow"].mean() < places["left forearm"].mean() < places["left wrist"].mean()
    assert all(NAMED_PLACEMENTS[name].segment == SEGMENTS[i] for i, one in enumerate(names) for name in one)


@pytest.fixture
def one_thread():
    """As workers have: with more, sums differ in their last digit, of which a device's resolution makes steps."""
    number = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(number)


def test_items_depend_on_seed_epoch_and_index_alone(folder, one_thread):
    one, other = MotionTextDataset(folder, seed=5), MotionTextDataset(folder, seed=5)
    one[0]
    one.set_epoch(2)
    workers = DataLoader(
        other, batch_size=None, num_workers=1, persistent_workers=True, multiprocessing_context="fork"
    )
    list(workers)
    other.set_epoch(2)
    for item, same in zip((one[i] for i in range(len(one))), workers, strict=True):
        assert torch.equal(item["input_values"], same["input_values"]) and item["seed"] == same["seed"]
        assert item["texts"] == same["texts"] and item["placements"] == same["placements"]
    assert one[0]["seed"] != MotionTextDataset(folder, seed=6)[0]["seed"]


def test_subjects_are_held_out_whole(folder):
    dataset = MotionTextDataset(folder)
    train, held_out = dataset.split(0.36)
    names = [{clip.path.stem for clip in part.clips} for part in (train, held_out)]
    assert names[0] | names[1] == {"a", "b", "c"} and not names[0] & names[1]
    assert len(train) + len(held_out) == len(dataset)


def make_processor() -> AnyMoProcessor:
    """Words are tokens."""
    texts = [
        prompts.caption_prompt(["chest"]),
        prompts.choice_prompt(["walking", "sitting"]),
        prompts.motion_prompt(""),
    ]
    texts += [prompts.embedding_prompt(), "A person walks. sits. walk a b c d the activity is"]
    split = pre_tokenizers.Whitespace()
    words = ["<unk>", "<pad>", *{word: 0 for text in texts for word, _ in split.pre_tokenize_str(text)}]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = split
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>")
    prepare_tokenizer(tokenizer, 2, 8)
    return AnyMoProcessor(AnyMoFeatureExtractor(), tokenizer, num_codebooks=2, codebook_size=8)


def make_item(length: int, text: str = "A person walks.", activity: str | None = "walking", seed: int = 0) -> dict:
    values = torch.zeros(length, 23, 6)
    mask = torch.zeros_like(values, dtype=torch.bool)
    values[:, 4], mask[:, 4] = 1.0 + length, True
    return {
        "input_values": values, "input_values_mask": mask, "texts": [text], "activity": activity,
        "placements": ["chest"], "seed": seed,
    }  # fmt: skip


def read(processor, ids) -> str:
    return " ".join(processor.tokenizer.convert_ids_to_tokens([int(i) for i in ids]))


USER, ASSISTANT = "<|im_start|> user", "<|im_end|> <|im_start|> assistant"
PLACE = "The sensor is worn at the chest ."


@pytest.fixture(autouse=True)
def placements_always_named(monkeypatch):
    monkeypatch.setattr(prompts, "PLACEMENTS_LEFT_OUT_SHARE", 0.0)


def test_rows_of_captions_and_of_motion():
    processor = make_processor()
    two, one = "<imu_start>" + " <imu>" * 4 + " <imu_end>", "<imu_start>" + " <imu>" * 2 + " <imu_end>"
    items = [make_item(5), make_item(3)]
    batch = MotionTextCollator(processor, ["walking"], {"caption": 1})(items)
    prompt = f"{USER} Read the motion . {PLACE} {{}} What does the person do ? {ASSISTANT} "
    answer = "A person walks . <|im_end|>"
    assert read(processor, batch["input_ids"][0]) == prompt.format(two) + answer
    assert read(processor, batch["input_ids"][1]) == prompt.format(one) + answer + " <pad> <pad>"
    assert batch["attention_mask"].sum(dim=1).tolist() == [len(batch["input_ids"][0]), len(batch["input_ids"][0]) - 2]
    labels = batch["labels"]
    assert (labels != -100).sum(dim=1).tolist() == [5, 5] and read(processor, labels[1][labels[1] != -100]) == answer
    assert torch.equal(labels[labels != -100], batch["input_ids"][labels != -100])
    # Features are padded at the end.
    assert batch["input_values"].shape == (2, 5, 23, 6) and batch["input_values_mask"].sum() == (5 + 3) * 6
    assert not batch["input_values_mask"][1, 3:].any() and (batch["input_values"][1, 3:] == 0).all()
    assert set(batch) == {"input_ids", "attention_mask", "labels", "input_values", "input_values_mask"}

    batch = MotionTextCollator(processor, ["walking"], {"motion": 1})(items)
    assert read(processor, batch["input_ids"][0]) == (
        f"{USER} Write the motion . {PLACE} A person walks . {ASSISTANT} {two} <|im_end|>"
    )
    labels = batch["labels"]
    # The model puts the motion tokens where the labels say <imu>.
    assert read(processor, labels[0][labels[0] != -100]) == f"{two} <|im_end|>"

    batch = MotionCollator(processor)(items)
    assert read(processor, batch["input_ids"][0]) == f"{two} <|im_end|>"
    assert torch.equal(batch["labels"][0], batch["input_ids"][0])
    assert batch["labels"][1].tolist()[-2:] == [-100, -100]


def test_rows_of_choices():
    processor = make_processor()
    collate = MotionTextCollator(processor, ["walk", "walking", "sitting"], {"choice": 1}, num_options=4)
    answers = set()
    for seed in range(20):
        batch = collate([make_item(3, seed=seed)])
        ids, labels = batch["input_ids"][0], batch["labels"][0]
        text, answer = read(processor, ids[labels == -100]), read(processor, labels[labels != -100])
        # There are two activities, however spelled, so two options; the answer is the right one's line.
        options = text.split("it ? ")[1].removesuffix(f" {ASSISTANT}").removesuffix(" <|im_end|>")
        assert answer.removesuffix(" <|im_end|>") in options and "sitting" not in answer
        assert options.count("a .") == options.count("b .") == 1 and "c ." not in options
        answers.add(answer[0])
    assert answers == {"a", "b"}
    # Without an activity there is nothing to choose.
    batch = MotionTextCollator(processor, ["walking", "sitting"], {"choice": 1, "caption": 1e-9})(
        [make_item(3, activity=None)]
    )
    assert "What does the person do" in read(processor, batch["input_ids"][0])


def test_rows_that_are_compared(monkeypatch):
    monkeypatch.setattr(motion_text, "LABEL_TEMPLATES", ("{}",))
    processor = make_processor()
    activities = ["walking", "sitting", "person", "activity"]
    items = [make_item(3), make_item(3, "A person sits.", "sitting", 1), make_item(3, "A person.", None, 2)]
    collate = MotionTextCollator(processor, activities, {"embedding": 1}, num_candidates=3)
    batch = collate(items)
    expected = f"{USER} Represent the motion . {PLACE} <imu_start> <imu> <imu> <imu_end> {ASSISTANT}"
    assert [read(processor, row) for row in batch["input_ids"]] == [expected] * 3
    assert (batch["labels"] == -100).all()
    texts = [read(processor, row) for row in batch["text_input_ids"]]
    assert texts == ["A person walks .", "A person sits .", "A person . <pad>"]
    assert batch["text_attention_mask"].tolist() == [[1] * 4, [1] * 4, [1, 1, 1, 0]]
    names = [read(processor, row) for row in batch["candidate_input_ids"]]
    assert names[:2] == ["walking", "sitting"] and names[2] in ("person", "activity") and len(names) == 3
    assert batch["candidate_targets"].tolist() == [[True, False, False], [False, True, False], [False] * 3]
    assert batch["candidate_attention_mask"].tolist() == [[1], [1], [1]]
    # All that is random comes from the items.
    assert all(torch.equal(value, batch[name]) for name, value in collate(items).items())


def test_the_mix_holds_in_every_batch():
    processor = make_processor()
    items = [make_item(3, seed=seed) for seed in range(26)]
    collate = MotionTextCollator(processor, ["walking", "sitting"])
    batch = collate(items)
    rows = [read(processor, row) for row in batch["input_ids"]]
    found = [sum(word in row for row in rows) for word in ("person do", "Which", "Represent", "Write")]
    assert found == [6, 6, 12, 2]
    # Rows of other tasks have no narration and no candidate.
    compared = torch.tensor(["Represent" in row for row in rows])
    assert torch.equal(batch["text_attention_mask"].any(dim=1), compared)
    assert torch.equal(batch["candidate_targets"].any(dim=1), compared)
    assert not torch.equal(compared, compared.sort(descending=True).values)
    orders = {
        tuple("Write" in read(processor, row) for row in collate(items[i:] + items[:i])["input_ids"]) for i in range(4)
    }
    assert len(orders) > 1


def test_what_cannot_be_made_is_told():
    processor = make_processor()
    with pytest.raises(ValueError, match="nothing to choose"):
        MotionTextCollator(processor, ["walking", "sitting"], {"choice": 1})._draw_tasks(
            [None], np.random.default_rng(0)
        )
    for mix in ({"captions": 1}, {"caption": 0}, {"caption": -1, "choice": 2}):
        with pytest.raises(ValueError, match="`mix` must give shares to some of caption, choice, embedding, motion"):
            MotionTextCollator(processor, [], mix)
    processor.tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0})))
    with pytest.raises(ValueError, match="lacks <imu>, <imu_start>, <imu_end>"):
        MotionCollator(processor)


def test_no_description_at_all_is_told(tmp_path):
    plain = SegmentKinematics(torch.zeros(60, 23, 12), torch.ones(60, 23, dtype=torch.bool), 60.0, 0.0, source={})
    save_kinematics(plain, tmp_path / "plain.safetensors")
    with pytest.raises(ValueError, match="No motion here has a caption or label"):
        MotionTextDataset(tmp_path)
    item = MotionTextDataset(tmp_path, described=False)[0]
    assert item["texts"] == [] and item["activity"] is None and np.isfinite(item["seed"])
