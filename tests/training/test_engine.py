"""Training and evaluation passes: they learn, their figures add up, and they end when told."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from core.errors import ConfigError, RunError
from core.training import engine
from core.training.engine import Compute, Outcome, PassFigures, StepFigures

CPU = Compute(torch.device("cpu"), bf16=False, channels_last=True)
Batch = tuple[torch.Tensor, torch.Tensor]


def make_net(classes: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(512, classes)
    )


def make_batches(count: int = 22, size: int = 6, classes: int = 3) -> list[Batch]:
    """Images of 8×8 whose class is easy to see: it brightens one pixel; the last batch is a smaller one."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(count) % classes
    images = torch.randn(count, 3, 8, 8, generator=generator) * 0.3
    images[torch.arange(count), 0, 0, targets] += 3
    return list(zip(images.split(size), targets.split(size), strict=True))


def train(
    model: nn.Module,
    batches: list[Batch],
    *,
    report_every: int = 1,
    last_step: int | None = None,
    rates: list[float] | None = None,
) -> tuple[PassFigures, list[StepFigures], list[int]]:
    """Train over the batches once; return the pass' figures, the steps' and the steps a rate was asked for."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    steps: list[StepFigures] = []
    asked: list[int] = []

    def set_rate(step: int) -> None:
        asked.append(step)
        if rates is not None:
            optimizer.param_groups[0]["lr"] = rates[step]

    def on_steps(figures: list[StepFigures]) -> bool:
        steps.extend(figures)
        return last_step is None or figures[-1].step < last_step

    loss_of = nn.CrossEntropyLoss()
    result = engine.train_epoch(
        model, batches, optimizer, loss_of, CPU, set_rate=set_rate, on_steps=on_steps, report_every=report_every
    )  # fmt: skip
    return result, steps, asked


def weights_of(model: nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().flatten().double() for value in model.state_dict().values()])


def ask(model: nn.Module, batches: list[Batch], compute: Compute = CPU) -> Outcome:
    outcome = engine.evaluate(model, batches, compute)
    assert outcome is not None
    return outcome


def test_a_few_steps_lower_the_loss_and_the_model_learns_the_images() -> None:
    model, batches = make_net(), make_batches()
    before = ask(model, batches)
    losses = [train(model, batches)[0].loss for _ in range(8)]
    after = ask(model, batches)
    assert losses[-1] < losses[0] / 2
    assert after.loss.mean() < before.loss.mean() / 2
    assert after.accuracy == 1.0 > before.accuracy


def test_the_figures_of_a_pass_are_those_of_its_steps_weighted_by_their_images() -> None:
    result, steps, _ = train(make_net(), make_batches())
    assert [(figure.step, figure.count) for figure in steps] == [(1, 6), (2, 6), (3, 6), (4, 4)]
    assert result.count == 22
    assert result.loss == pytest.approx(sum(f.loss * f.count for f in steps) / 22)
    assert result.accuracy == pytest.approx(sum(f.correct for f in steps) / 22)
    assert result.seconds > 0
    assert not result.ended_early


def test_the_first_step_reports_the_loss_and_the_right_answers_of_the_untrained_model() -> None:
    model, batches = make_net(), make_batches()
    images, targets = batches[0]
    with torch.no_grad():
        logits = make_net().train()(images)
    first = train(model, batches)[1][0]
    assert first.loss == pytest.approx(float(nn.functional.cross_entropy(logits, targets)), rel=1e-5)
    assert first.correct == int((logits.argmax(1) == targets).sum())


@pytest.mark.parametrize("report_every", [2, 3, 10])
def test_fetching_the_figures_less_often_changes_none_of_them(report_every: int) -> None:
    one, other = make_net(), make_net()
    result, steps, _ = train(one, make_batches())
    seldom, steps_seldom, _ = train(other, make_batches(), report_every=report_every)
    assert steps_seldom == steps
    assert (seldom.loss, seldom.accuracy, seldom.count) == (result.loss, result.accuracy, result.count)
    assert torch.equal(weights_of(one), weights_of(other))


def test_a_pass_that_is_told_to_end_does_so_after_its_step() -> None:
    stopped, cut = make_net(), make_net()
    result, steps, asked = train(stopped, make_batches(), last_step=2)
    train(cut, make_batches()[:2])
    assert result.ended_early
    assert (result.count, len(steps), asked) == (12, 2, [0, 1])
    assert torch.equal(weights_of(stopped), weights_of(cut))


def test_the_rate_is_set_before_each_step() -> None:
    model = make_net()
    _, _, asked = train(model, make_batches(), rates=[0.0, 0.0, 0.0, 0.0])
    assert asked == [0, 1, 2, 3]
    untouched = dict(make_net().named_parameters())
    assert all(torch.equal(value, untouched[name]) for name, value in model.named_parameters())


@pytest.mark.parametrize(("classes", "top"), [(8, 5), (5, 5), (3, 3), (2, 2)])
def test_an_outcome_has_the_five_best_classes_of_every_image_and_fewer_where_there_are_fewer(
    classes: int, top: int
) -> None:
    outcome = ask(make_net(classes), make_batches(classes=classes))
    assert outcome.top_index.shape == outcome.top_prob.shape == (22, top)
    assert outcome.true_prob.shape == outcome.loss.shape == outcome.target.shape == (22,)
    kinds = [outcome.top_index.dtype, outcome.target.dtype, outcome.top_prob.dtype, outcome.loss.dtype]
    assert kinds == [np.int64, np.int64, np.float32, np.float32]


def test_an_outcome_is_what_softmax_says_image_by_image() -> None:
    model, batches = make_net(8).eval(), make_batches(classes=8)
    outcome = ask(model, batches)
    with torch.no_grad():
        probabilities = model(torch.cat([images for images, _ in batches])).softmax(1).numpy()
    targets = torch.cat([targets for _, targets in batches]).numpy()
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(outcome.target, targets)
    np.testing.assert_array_equal(outcome.top_index, order)
    np.testing.assert_allclose(outcome.top_prob, np.take_along_axis(probabilities, order, 1), rtol=1e-4)
    np.testing.assert_allclose(outcome.true_prob, probabilities[np.arange(22), targets], rtol=1e-4)
    np.testing.assert_allclose(outcome.loss, -np.log(outcome.true_prob), rtol=1e-4)
    assert outcome.accuracy == pytest.approx((probabilities.argmax(1) == targets).mean())


def test_a_loss_stays_finite_where_the_probability_underflows() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    for value in model.parameters():
        nn.init.zeros_(value)
    bias = dict(model.named_parameters())["1.bias"]
    nn.init.constant_(bias[:1], 500.0)
    outcome = ask(model, [(torch.zeros(1, 3, 8, 8), torch.tensor([1]))])
    assert outcome.true_prob[0] == 0.0
    assert outcome.loss[0] == pytest.approx(500.0)


def test_evaluation_changes_nothing_in_the_model() -> None:
    model = make_net()
    before = weights_of(model)
    ask(model, make_batches())
    assert torch.equal(weights_of(model), before)
    assert all(value.grad is None for value in model.parameters())


def test_training_after_an_evaluation_updates_the_running_statistics_again() -> None:
    model = make_net()
    ask(model, make_batches())
    before = model.state_dict()["1.running_mean"].clone()
    train(model, make_batches())
    assert not torch.equal(model.state_dict()["1.running_mean"], before)


def test_an_evaluation_that_is_told_to_end_gives_no_outcome() -> None:
    seen: list[int] = []

    def end_after_two(count: int) -> bool:
        seen.append(count)
        return len(seen) < 2

    assert engine.evaluate(make_net(), make_batches(), CPU, on_batch=end_after_two) is None
    assert seen == [6, 12]


def test_bf16_gives_nearly_the_same_confidences_still_as_float32() -> None:
    model, batches = make_net(), make_batches()
    exact = ask(model, batches)
    rough = ask(model, batches, Compute(torch.device("cpu"), bf16=True, channels_last=True))
    assert rough.top_prob.dtype == np.float32
    np.testing.assert_allclose(rough.true_prob, exact.true_prob, atol=0.03)


def test_auto_chooses_a_device_that_computes_and_says_which() -> None:
    compute = engine.choose_compute()
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    assert there[compute.device.type]
    if compute.device.type == "cpu":
        assert not there["cuda"]
        assert not there["mps"]
    assert str(compute).startswith(compute.device.type)
    outcome = ask(compute.place_model(make_net()), make_batches(), compute)
    assert math.isfinite(float(outcome.loss.sum()))


@pytest.mark.parametrize(
    ("native", "capability", "precision"),
    [(True, (8, 0), "bf16"), (False, (7, 5), "fp16"), (False, (7, 0), "fp16"), (False, (6, 1), "fp32")],
    ids=["A100", "T4", "V100", "GTX 1080"],
)
def test_a_gpu_computes_in_bf16_or_fp16_only_where_it_is_fast_at_it(
    monkeypatch: pytest.MonkeyPatch, native: bool, capability: tuple[int, int], precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: native or including_emulation
    )
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    compute = engine.choose_compute()
    assert str(compute) == f"cuda, {precision}, channels_last"
    assert engine.choose_compute("cuda", "fp32").precision == "fp32"
    assert engine.choose_compute("cuda", "bf16").precision == "bf16"


def test_a_cpu_with_bf16_takes_fp32_for_depthwise_convolutions_of_small_images_alone() -> None:
    bf16 = Compute(torch.device("cpu"), bf16=True, channels_last=True)
    depthwise, grouped = nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 3, groups=4)
    assert engine.suit_compute(bf16, depthwise, 96).precision == "fp32"
    assert engine.suit_compute(bf16, depthwise, 224).precision == "bf16"
    assert engine.suit_compute(bf16, grouped, 96).precision == "bf16"
    gpu = Compute(torch.device("cuda"), bf16=True, channels_last=True)
    assert engine.suit_compute(gpu, depthwise, 96).precision == "bf16"


def test_in_fp16_the_loss_is_scaled_and_a_step_that_overflows_is_left_out() -> None:
    half = Compute(torch.device("cpu"), bf16=False, channels_last=True, fp16=True)
    model, scaler = make_net(), half.make_scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    [batch] = make_batches(6)
    rough, _ = engine.train_step(
        model, [batch], optimizer, nn.CrossEntropyLoss(), half, clip_norm=1.0, scaler=scaler
    )
    exact, _ = engine.train_step(
        make_net(), [batch], torch.optim.SGD(make_net().parameters(), lr=0.05), nn.CrossEntropyLoss(), CPU
    )
    assert float(rough) == pytest.approx(float(exact), abs=0.02)
    scale = scaler.get_scale()
    scaler.load_state_dict({**scaler.state_dict(), "scale": 2.0**40})
    before = [parameter.clone() for parameter in model.parameters()]
    engine.train_step(model, [batch], optimizer, nn.CrossEntropyLoss(), half, scaler=scaler)
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))
    assert scaler.get_scale() < 2.0**40
    assert scale > 1


def test_batches_whose_gradients_add_up_are_one_step_of_all_their_images() -> None:
    class Plain(nn.Sequential):
        """A network without normalisation, to which a batch is the sum of its parts."""

    def make() -> Plain:
        torch.manual_seed(0)
        return Plain(nn.Flatten(), nn.Linear(192, 3))

    parts, whole = make_batches(22, size=6), make_batches(22, size=12)
    nets, found = (make(), make()), []
    for net, batches, accumulate in zip(nets, (parts, whole), (2, 1), strict=True):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
        steps: list[StepFigures] = []
        mixed: list[int] = []

        def mix(
            number: int, images: torch.Tensor, targets: torch.Tensor, mixed: list[int] = mixed
        ) -> tuple[torch.Tensor, torch.Tensor]:
            mixed.append(number)
            return images, targets

        engine.train_epoch(
            net, batches, optimizer, nn.CrossEntropyLoss(), CPU, set_rate=lambda _: None,
            on_steps=lambda figures, steps=steps: steps.extend(figures) is None, accumulate=accumulate, mix=mix,
        )  # fmt: skip
        found.append((steps, mixed))
    (ours, parts_mixed), (theirs, whole_mixed) = found
    assert [step.count for step in ours] == [step.count for step in theirs] == [12, 10]
    assert [step.loss for step in ours] == pytest.approx([step.loss for step in theirs], abs=1e-5)
    assert [step.correct for step in ours] == [step.correct for step in theirs]
    assert (parts_mixed, whole_mixed) == ([0, 1, 2, 3], [0, 1])
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("precision", "bf16"), [("fp32", False), ("bf16", True)])
def test_device_and_precision_can_be_forced(precision: str, bf16: bool) -> None:
    compute = engine.choose_compute("cpu", precision)
    assert (compute.device.type, compute.bf16) == ("cpu", bf16)
    assert str(compute) == f"cpu, {precision}, channels_last"


def test_a_device_that_is_not_there_is_refused_by_name_with_what_else_to_choose() -> None:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    absent = next(name for name, has in there.items() if not has)
    with pytest.raises(ConfigError, match=rf"device: {absent} .* Choose auto or cpu"):
        engine.choose_compute(absent)


class Greedy(nn.Module):
    """A network that asks for more memory than any machine has, or for more than a GPU had."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.weight, self.error = nn.Parameter(torch.zeros(1)), error

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.error is not None:
            raise self.error
        return self.weight * torch.empty(len(images), 1 << 50)


GPU_FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


@pytest.mark.parametrize("model", [Greedy(), Greedy(GPU_FULL)], ids=["CPU", "GPU"])
def test_too_little_memory_is_told_with_what_to_lower(model: nn.Module) -> None:
    for work in (lambda: train(model, make_batches()), lambda: engine.evaluate(model, make_batches(), CPU)):
        with pytest.raises(RunError) as caught:
            work()
        assert str(caught.value) == (
            "There is too little memory for a batch of 6 images of 8 px. Lower batch_size or image_size."
        )


class Hungry(nn.Module):
    """A network that a GPU holds for a few images only."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.head = most, nn.Linear(3 * 8 * 8, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) > self.most:
            raise GPU_FULL
        return self.head(images.flatten(1))


def test_too_little_memory_is_told_with_the_batch_that_fits() -> None:
    with pytest.raises(RunError) as caught:
        train(Hungry(most=4), make_batches(48, size=24))
    assert str(caught.value) == (
        "There is too little memory for a batch of 24 images of 8 px. "
        "3 fit: set batch_size to 3, and accumulate to 8, so that a step has as many images."
    )
    with pytest.raises(RunError, match=r"8 px\. Lower batch_size or image_size\.$"):
        train(Hungry(most=0), make_batches(24, size=24))


def test_too_little_memory_for_features_blames_no_image_size() -> None:
    features = [(torch.zeros(4, 512), torch.zeros(4, dtype=torch.int64))]
    with pytest.raises(RunError, match=r"for a batch of 4 feature vectors\. Lower batch_size\."):
        engine.evaluate(Greedy(), features, CPU)


def test_another_error_of_a_network_is_none_of_memory() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        engine.evaluate(nn.Linear(2, 2), [(torch.zeros(1, 3), torch.zeros(1, dtype=torch.int64))], CPU)
