"""What comes after the last epoch: the best model is judged on the images held back, and its confidences are measured."""

from __future__ import annotations

from core.confidence.kept import read_calibration
from core.dataset.folders import ImageFolders
from core.errors import UserError, describe_error
from core.model.calibration import calibrate_run
from core.model.evaluate import evaluate_run
from core.runs.journal import Interrupted, Journal


def judge_best(journal: Journal, folders: ImageFolders) -> None:
    """Ask the best model about the images that neither trained nor chose it, and measure its confidences.

    Raises:
        Interrupted: when a stop or pause was asked for.
        UserError: when an image that was held back cannot be read.
    """
    if folders.held:
        journal.begin("judging the images held back")
        outcome = evaluate_run(journal.run, "held", progress=journal.count_done)
        if outcome is None:
            raise Interrupted(journal.asked())
        journal.write(f"held back Loss: {outcome.loss.mean():.4f} Acc: {outcome.accuracy:.4f}")
    measure_confidence(journal)


def measure_confidence(journal: Journal) -> None:
    """Measure how far the best model's confidences can be believed; where that fails, the training has not.

    Raises:
        Interrupted: when a stop or pause was asked for.
    """
    run = journal.run
    try:
        if read_calibration(run):
            return  # a run that was extended and found no better model
        journal.begin("measuring confidence")
        found = calibrate_run(run, progress=journal.count_done)
    except (UserError, OSError) as error:
        journal.write(f"Confidence not measured: {describe_error(error)}")
        return
    except Exception as error:
        journal.write(f"Confidence not measured: {journal.log_fault(error)}")
        return
    if found is None:
        raise Interrupted(journal.asked())
    journal.write(f"confidence ECE: {found.after.ece.value:.4f} Temperature: {found.temperature:.3f}")
